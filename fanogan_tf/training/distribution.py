"""Training on several devices: each computes its share of every batch, and all take the step that one device would take."""

import tensorflow as tf


class _Workers(tf.distribute.MultiWorkerMirroredStrategy):
    """Keras' `fit` asks for the mean of the logs over their first axis as well, and they are scalars."""

    def reduce(self, reduce_op, value, axis):
        return super().reduce(reduce_op, value, axis=None)


def strategy(name: str, cpus: int = 1) -> tf.distribute.Strategy:
    if cpus > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * cpus)
    if name == "multi_worker":
        return _Workers()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def distributed(
    batches: tf.data.Dataset, turns: int, strategy: tf.distribute.Strategy
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """`batches` with every replica's equal share of each.

    Args:
      batches: of images (turns * B, H, W, C).
      turns: parts that a batch is used up in, one after the other.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return batches

    def shares(images: tf.Tensor) -> tf.Tensor:
        # From the batch's parts, and in them the replicas', to the replicas' own batches: what a part was is one again.
        parts = tf.reshape(images, (turns, count, -1, *images.shape[1:]))
        return tf.reshape(tf.experimental.numpy.swapaxes(parts, 0, 1), (count, -1, *images.shape[1:]))

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = count // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return batches.map(lambda images: shares(images)[first : first + here]).unbatch()

    return strategy.distribute_datasets_from_function(of_worker)
