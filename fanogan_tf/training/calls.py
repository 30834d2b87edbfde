"""Several iterations per call: the device does not wait for Python between them, and their losses come back once a call."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import keras
import tensorflow as tf

from fanogan_tf.networks.spec import value_of

# How long a call lasts where nobody says otherwise: so soon Ctrl-C is answered, and the progress bar moves.
SECONDS = 0.5

Element = Any


def compiles(asked: str) -> bool:
    """What `--jit_compile` comes to: `true`, `false`, or `auto`, yes where there is a GPU and one device trains.

    XLA's code for CPUs was 7 to 37 times slower than TensorFlow's own at 8x8 to 32x32.
    """
    if asked != "auto":
        return asked == "true"
    return bool(tf.config.list_physical_devices("GPU")) and tf.distribute.get_strategy().num_replicas_in_sync == 1


class Events(Protocol):
    """Says how many iterations from `step` on there is nothing to write, see `loop.Schedule`."""

    def free(self, step: int) -> int:
        """At least 1."""


class Pace:
    """How many iterations the next call makes: never past an event.

    most: at most so many; 0 for as many as take about SECONDS, by how long the last ones took.
    """

    def __init__(self, events: Events, most: int = 0, now: Callable[[], float] = time.perf_counter):
        self.events = events
        self.most = most
        self._now = now
        self._began: float | None = None
        self._count = 0
        self._first = True

    def count(self, step: int) -> int:
        """How many iterations to make from `step` on. To be asked once before every call."""
        most = self.most or self._affordable()
        self._count = min(most, self.events.free(step))
        self._began = self._now()
        return self._count

    def _affordable(self) -> int:
        # The first call also traces and compiles: the second is the first that tells anything.
        if self._began is None or self._first:
            self._first = self._began is None
            return 1
        return max(1, int(SECONDS * self._count / max(self._now() - self._began, 1e-6)))


class Training(keras.Model):
    """What all trainings share. A subclass has `train_step`, `step`, and the dicts `networks` and `optimizers`.

    pace: of the calls of `fit`; without one, each call makes one iteration.
    look_up: from an element of the data set to what `train_step` takes, on the device; see `feed.Feed`.
    """

    pace: Pace | None = None
    look_up: Callable[[Element], Element] = staticmethod(lambda element: element)

    def make_train_function(self, force=False):
        """See Keras, whose own it is on several devices, and where every operation is to run by itself."""
        if self.distribute_strategy.num_replicas_in_sync > 1 or self.run_eagerly:
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = self._call_function()
        return self.train_function  # What Keras 2 asks for.

    def _call_function(self) -> Callable[[Any], dict[str, float]]:
        names: list[str] = []

        def logs_of_step(element: Element) -> tf.Tensor:
            """One iteration: its logs as one vector, so that they come back together."""
            logs = self.train_step(self.look_up(element))
            names[:] = logs
            return tf.stack([tf.cast(value, tf.float32) for value in logs.values()])

        step = tf.function(logs_of_step, autograph=False, jit_compile=self.jit_compile)

        @tf.function(autograph=False)
        def call(iterator: Any, count: tf.Tensor) -> tf.Tensor:
            once = step.get_concrete_function(iterator.element_spec)
            # A loss that is not finite must not be lost among later ones. The norm of a gradient may be: loss scaling leaves out
            # such an update, and any other one spoils the next loss.
            passing = tf.constant([name.startswith("gradient_norm") for name in names])

            def body(number: tf.Tensor, logs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                new = once(iterator.get_next())
                return number + 1, tf.where(tf.math.is_finite(logs) | passing, new, logs)

            nothing = tf.zeros(once.structured_outputs.shape)
            return tf.while_loop(lambda number, _: number < count, body, (0, nothing), parallel_iterations=1)[1]

        def train(iterator: Any) -> dict[str, float]:
            count = self.pace.count(int(value_of(self.step))) if self.pace else 1
            values = call(iterator, tf.constant(count)).numpy()
            return dict(zip(names, values.tolist(), strict=True))

        return train
