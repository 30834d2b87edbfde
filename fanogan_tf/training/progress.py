"""One bar per phase, with losses and the time left."""

import sys

import keras
from tqdm import tqdm


class ProgressBar(keras.callbacks.Callback):
    """Keras' own bar counts from 0 again after a restart; this one goes on where training does."""

    def __init__(self, name: str, start: int, iterations: int):
        super().__init__()
        self.name = name
        self.start = start
        self.iterations = iterations

    def on_train_begin(self, logs=None):
        # In a log file a line now and then is enough.
        interval = 0.5 if sys.stderr.isatty() else 20.0
        self.bar = tqdm(desc=self.name, initial=self.start, total=self.iterations, unit="it", mininterval=interval)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix({name: f"{value:.3g}" for name, value in logs.items() if "norm" not in name}, refresh=False)
        self.bar.update()

    def on_train_end(self, logs=None):
        self.bar.close()
