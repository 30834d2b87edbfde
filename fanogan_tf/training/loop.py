"""The loop of one phase, from start or checkpoint to its last iteration: `fit`, its guard, its progress bar, its interruption."""

import dataclasses
import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tqdm import tqdm

from fanogan_tf.data.feed import Feed
from fanogan_tf.distributed import cluster, strategy
from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import value_of
from fanogan_tf.options import Options
from fanogan_tf.training.calls import Pace, Training
from fanogan_tf.training.checkpointing import Checkpointing, Checkpoints, checkpoints_in
from fanogan_tf.training.monitoring import Monitor, Sheet
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
        self.bar.update(value_of(self.model.step) - self.bar.n)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When a phase ends, and how many iterations lie between checkpoints, TensorBoard's scalars and sheets of samples.

    steps_per_call: how many iterations one call of the training function makes at most, see `Pace`.
    """

    iterations: int
    checkpoint_every: int
    log_every: int
    sample_every: int
    steps_per_call: int = 0

    @classmethod
    def of(cls, options: Options, iterations: int) -> "Schedule":
        """The schedule of `iterations` that the options ask for."""
        every = options.checkpoint_every, options.log_every, options.sample_every
        return cls(iterations, *every, 0 if options.steps_per_call == "auto" else int(options.steps_per_call))

    def free(self, step: int) -> int:
        """How many iterations from `step` on there is nothing to write or to end: at least 1."""
        every = (self.checkpoint_every, self.log_every, self.sample_every)
        return min(self.iterations - step, *(one - step % one for one in every))


def run_phase(
    model: Training,
    feed: Feed | Callable[[int], tf.data.Dataset],
    schedule: Schedule,
    *,
    name: str,
    folder: Path,
    sheets: dict[str, Sheet],
    graph: tf.Graph,
    turns: int = 1,
) -> None:
    """Trains `model` until its step is `schedule.iterations`, from the newest checkpoint in `folder` where there is one.

    Args:
      model: compiled.
      feed: from the number of the first iteration to the endless data set of what `fit` feeds from there on.
      folder: gets `checkpoints/`, `logs/` (TensorBoard) and `samples/` (PNG).
      schedule: when it ends, and what it writes on the way.
      sheets: name -> function that draws a sheet of images as the networks are now.
      graph: what TensorBoard shows as the graph.
      turns: number of sub-batches per step; each is split evenly across devices.

    Raises:
      UserError: a loss is NaN or infinite; the run was interrupted (SIGINT, SIGTERM), after a checkpoint; or the workers stand at
        different iterations.
    """
    checkpoints = Checkpoints(model, checkpoints_in(folder))
    start, iterations = checkpoints.restore(), schedule.iterations
    if len(set(strategy.everyones(start, model.distribute_strategy))) > 1:
        raise UserError(f"{folder}: not all workers find the same checkpoint here; put --run_dir on a disk that they share")
    if start >= iterations:
        print(f"{name}: already at iteration {start} of {iterations}", flush=True)
        return
    if isinstance(feed, Feed):
        model.look_up = feed.look_up
    model.pace = Pace(schedule, schedule.steps_per_call)
    model.built = True  # Its networks are. With several devices, `fit` would make sure of that by calling it with images.
    with Interruption() as interruption, ProgressBar(name, start, iterations) as bar:
        model.fit(
            strategy.distributed(feed(start), turns, model.distribute_strategy),
            steps_per_epoch=iterations - start,
            shuffle=False,
            verbose=0,
            # The guard comes first: what it refuses is neither logged nor kept.
            callbacks=[
                BadLossGuard(checkpoints),
                *([Monitor(folder, sheets, graph, schedule.log_every, schedule.sample_every)] if cluster.is_chief() else []),
                interruption,
                Checkpointing(checkpoints, schedule.checkpoint_every, interruption),
                LastIteration(iterations),
                bar,
            ],
        )
    strategy.meet(model.distribute_strategy)  # Before others read what the chief has saved.
    if interruption.asked:
        step = value_of(model.step)
        raise UserError(f"{name}: stopped at iteration {step} of {iterations}; the same command goes on from there")


class LastIteration(keras.callbacks.Callback):
    """Ends the training there; `fit` counts calls, of which each may make several iterations."""

    def __init__(self, iterations: int):
        super().__init__()
        self.iterations = iterations

    def on_train_batch_end(self, batch, logs=None):
        if value_of(self.model.step) >= self.iterations:
            self.model.stop_training = True


class Interruption(keras.callbacks.Callback):
    """While active, Ctrl-C and SIGTERM set `asked` at the end of a call, between two iterations, instead of breaking off in one.

    In all workers at the same iteration, whichever of them was interrupted: none is left waiting for another.
    """

    def __init__(self):
        super().__init__()
        self.asked = False
        self._heard = False

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_train_batch_end(self, batch, logs=None):
        self.asked = any(strategy.everyones(int(self._heard), self.model.distribute_strategy))

    def _hear(self, *_):
        self._heard = True
