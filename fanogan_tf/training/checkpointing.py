"""Checkpoints: weights, optimizers and step. Random numbers are functions of (seed, step), so the step restores them too."""

import time
from pathlib import Path

import keras
import tensorflow as tf

from fanogan_tf.distributed import cluster
from fanogan_tf.errors import UserError
from fanogan_tf.keras_line import tf_variable
from fanogan_tf.networks.spec import tf_variables, value_of
from fanogan_tf.training.optimization import loss_scalers


def checkpoints_in(phase: Path) -> Path:
    """Where the folder of a phase of training keeps its checkpoints."""
    return Path(phase) / "checkpoints"


def saved_step(folder: Path) -> int:
    """The step of the newest checkpoint in `folder`; 0 without one."""
    latest = tf.train.latest_checkpoint(str(folder))
    return int(latest.rsplit("-", 1)[1]) if latest else 0


def saved_seconds(folder: Path) -> float:
    """How long the training up to the newest checkpoint in `folder` took, without what was lost or stood still in between."""
    latest = tf.train.latest_checkpoint(str(folder))
    return float(tf.train.load_variable(latest, "seconds/.ATTRIBUTES/VARIABLE_VALUE")) if latest else 0.0


class Checkpoints:
    """The checkpoints of one phase; the last two are kept, so that a crash while writing leaves a whole one."""

    def __init__(self, model: keras.Model, folder: Path):
        """`model` has `step` (a tf.Variable) and the dicts `networks` and `optimizers`, perhaps `averages` as well."""
        self.model = model
        self.folder = Path(folder)
        self.seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False, name="seconds")
        # The loss scale apart from the optimizer inside: one run may go on in another precision, without or with loss scaling.
        scalers = loss_scalers(model)
        owners = {**model.networks, **model.optimizers, **{name: scaler.inner_optimizer for name, scaler in scalers.items()}}
        owners |= getattr(model, "averages", {})
        state = {"step": model.step, "seconds": self.seconds, **{name: tf_variables(owner) for name, owner in owners.items()}}
        scales = {
            f"{name}_loss_scale": [tf_variable(s.dynamic_scale), tf_variable(s.step_counter)] for name, s in scalers.items()
        }
        self._state = tf.train.Checkpoint(**state)
        self._scales = tf.train.Checkpoint(**scales)
        everything = tf.train.Checkpoint(**state, **scales)
        # Made now, by all workers together: the chief alone, at its first saving, would wait for the others for ever.
        _ = everything.save_counter
        self._manager = tf.train.CheckpointManager(everything, str(folder), max_to_keep=2, checkpoint_name="step")

    @property
    def latest(self) -> str | None:
        """Path of the newest checkpoint."""
        return self._manager.latest_checkpoint

    def restore(self) -> int:
        """Loads the newest checkpoint where there is one; returns the step that training stands at.

        Raises:
          UserError: the checkpoint is of other networks, or damaged.
        """
        if not self.latest:
            return 0
        # The optimizers' step sizes are settings, not state: what the user says now holds.
        rates = {name: value_of(optimizer.learning_rate) for name, optimizer in self.model.optimizers.items()}
        try:
            self._state.restore(self.latest).assert_existing_objects_matched()
            # A scale that the run did not have yet stays as it is.
            self._scales.restore(self.latest).expect_partial()
        except (AssertionError, IndexError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.latest}: cannot be restored ({reason}); --overwrite starts the run from scratch") from error
        for name, optimizer in self.model.optimizers.items():
            optimizer.learning_rate.assign(rates[name])
        return int(value_of(self.model.step))

    def save(self) -> None:
        """Writes the present state as the newest checkpoint; where several processes train, the chief does."""
        if cluster.is_chief():
            self._manager.save(checkpoint_number=value_of(self.model.step))


class Checkpointing(keras.callbacks.Callback):
    """Saves every `every` iterations and at the end; stops training when `interruption.asked`."""

    def __init__(self, checkpoints: Checkpoints, every: int, interruption):
        super().__init__()
        self.checkpoints = checkpoints
        self.every = every
        self.interruption = interruption

    def on_train_begin(self, logs=None):
        self.began = time.monotonic() - value_of(self.checkpoints.seconds)

    def on_train_batch_end(self, batch, logs=None):
        if self.interruption.asked:
            self.model.stop_training = True
        elif value_of(self.model.step) % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self) -> None:
        self.checkpoints.seconds.assign(time.monotonic() - self.began)
        self.checkpoints.save()
