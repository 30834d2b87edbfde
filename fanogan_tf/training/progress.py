"""One bar per phase, with losses and the time left."""

import sys

import keras
from tqdm import tqdm


class ProgressBar(keras.callbacks.Callback):
    """Keras' own bar counts from 0 again after a restart; this one goes on where training does.

    A context manager, so that the bar's line is ended before an error is told.
    """

    def __init__(self, name: str, start: int, iterations: int):
        super().__init__()
        # In a log file a line now and then is enough.
        interval = 0.5 if sys.stderr.isatty() else 20.0
        self.bar = tqdm(desc=name, initial=start, total=iterations, unit="it", mininterval=interval)

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_):
        self.bar.close()

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix({name: f"{value:.3g}" for name, value in logs.items() if "norm" not in name}, refresh=False)
        self.bar.update()
