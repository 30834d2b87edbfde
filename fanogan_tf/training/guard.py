"""Training that has gone wrong stops at once."""

import math

import keras

from fanogan_tf.errors import UserError
from fanogan_tf.networks.variables import value_of
from fanogan_tf.training.checkpointing import Checkpoints
from fanogan_tf.training.optimization import loss_scalers


class BadLossGuard(keras.callbacks.Callback):
    """Raises UserError at the first loss, or gradient norm, that is NaN or infinite; the last checkpoint stays as it is.

    With loss scaling, updates with such a gradient are left out and lower the scale: they are an error only below a scale of 1,
    where it is the gradient itself that float16 cannot hold.
    """

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self.checkpoints = checkpoints

    def on_train_batch_end(self, batch, logs=None):
        bad = {name: float(value) for name, value in logs.items() if not math.isfinite(value) and not self._left_out(name)}
        if bad:
            name, value = next(iter(bad.items()))
            kept = self.checkpoints.latest
            last_good = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
            step = value_of(self.model.step)
            raise UserError(f"{name} is {value} at iteration {step}; {last_good}; try a smaller learning rate")

    def _left_out(self, name: str) -> bool:
        """Whether `name` is the gradient of an update that was merely left out."""
        scalers = loss_scalers(self.model).values()
        return name.startswith("gradient_norm") and bool(scalers) and min(value_of(s.dynamic_scale) for s in scalers) >= 1.0
