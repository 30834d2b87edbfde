"""Training that has gone wrong stops at once."""

import math

import keras

from fanogan_tf.errors import UserError
from fanogan_tf.training.checkpointing import Checkpoints


class BadLossGuard(keras.callbacks.Callback):
    """Raises UserError at the first loss, or gradient norm, that is NaN or infinite; the last checkpoint stays as it is."""

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self.checkpoints = checkpoints

    def on_train_batch_end(self, batch, logs=None):
        bad = {name: float(value) for name, value in logs.items() if not math.isfinite(value)}
        if bad:
            name, value = next(iter(bad.items()))
            kept = self.checkpoints.latest
            last_good = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
            raise UserError(f"{name} is {value} at iteration {int(self.model.step)}; {last_good}; try a smaller learning rate")
