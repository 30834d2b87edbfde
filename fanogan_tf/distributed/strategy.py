"""Training on several devices: each computes its share of every batch, and together they take the step that one would take."""

import contextlib
import functools
from collections.abc import Iterator

import tensorflow as tf

from fanogan_tf import keras_line
from fanogan_tf.distributed import cluster
from fanogan_tf.errors import UserError

_WORKER_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class _Workers(tf.distribute.MultiWorkerMirroredStrategy):
    """A strategy for Keras' `fit`, which also averages the logs over their first axis, although they are scalars."""

    def reduce(self, reduce_op, value, axis):
        return super().reduce(reduce_op, value, axis=None)


def make_strategy(name: str, cpus: int = 1) -> tf.distribute.Strategy:
    """Sets up the devices to train on. Call it before TensorFlow computes anything.

    Args:
      name: `none`; `mirrored`, all GPUs of this machine, or all CPU devices if it has no GPU; `multi_worker`, all processes of
        TF_CONFIG, and the call waits for them.
      cpus: number of devices to split the CPU into.

    Raises:
      UserError: TF_CONFIG and `name` contradict each other.
    """
    workers = cluster.workers()
    if name == "multi_worker" and workers == 1:
        raise UserError("--strategy=multi_worker: TF_CONFIG names no other worker; set it, or take --strategy=mirrored")
    if name != "multi_worker" and workers > 1:
        raise UserError(f"--strategy={name}: TF_CONFIG names {workers} workers; add --strategy=multi_worker, or unset it")
    if cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * cpus)
    if name == "multi_worker":
        return _Workers()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def check(strategy: tf.distribute.Strategy, batch_size: int, jit_compile: bool) -> None:
    """Raises UserError if the devices cannot share a batch equally, or not with XLA, or Keras 2 runs."""
    count = strategy.num_replicas_in_sync
    if count > 1 and keras_line.KERAS_2:
        raise UserError("--strategy: several devices train with Keras 3 alone; take --strategy=none, or the extra cpu or gpu")
    if batch_size % count:
        raise UserError(f"--batch_size={batch_size}: {count} devices cannot share it equally; take a multiple of {count}")
    if jit_compile and count > 1:
        raise UserError(f"--jit_compile: not with {count} devices; add --nojit_compile, or take --strategy=none")


def distributed(
    batches: tf.data.Dataset, turns: int, strategy: tf.distribute.Strategy
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Splits batches of images (turns * B, H, W, C) evenly across replicas.

    turns: number of sub-batches per training step; each is split evenly across replicas.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return batches

    def shares(images: tf.Tensor) -> tf.Tensor:
        parts = tf.reshape(images, (turns, count, -1, *images.shape[1:]))
        return tf.reshape(tf.experimental.numpy.swapaxes(parts, 0, 1), (count, -1, *images.shape[1:]))

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = count // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return batches.map(lambda images: shares(images)[first : first + here]).unbatch()

    return strategy.distribute_datasets_from_function(of_worker)


def everyones(value: int, strategy: tf.distribute.Strategy) -> list[int]:
    """Gathers the `value` of every process that trains; waits for all of them."""
    if cluster.workers() == 1:
        return [value]
    return _gathering(strategy)(tf.constant([value])).numpy().tolist()


@functools.cache
def _gathering(strategy: tf.distribute.Strategy) -> tf.types.experimental.PolymorphicFunction:
    return tf.function(lambda value: strategy.gather(strategy.run(tf.identity, args=(value,)), axis=0), autograph=False)


def meet(strategy: tf.distribute.Strategy, well: bool = True) -> None:
    """Waits for all workers. Raises UserError in every worker if one of them is not `well`."""
    if not all(everyones(int(well), strategy)):
        raise UserError("another worker has stopped; its message says why")


@contextlib.contextmanager
def chief_first(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Runs the block in the chief first, then in the other workers, which find what it wrote. An error in one ends all."""
    chief = cluster.is_chief()
    if not chief:
        meet(strategy)
    try:
        yield
    except BaseException:
        with contextlib.suppress(UserError):  # Report the error of this worker, not that of the meeting.
            meet(strategy, well=False)
        raise
    for _ in range(2 if chief else 1):
        meet(strategy)


@contextlib.contextmanager
def together(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Places variables made inside the block on all devices; no worker leaves it before the others.

    Raises:
      UserError: another worker is lost.
    """
    try:
        with strategy.scope():
            yield
        meet(strategy)
    except _WORKER_LOST as error:
        if cluster.workers() == 1:
            raise
        raise UserError(
            "another worker is lost; run the same command again in all of them: training resumes from the last checkpoint"
        ) from error
