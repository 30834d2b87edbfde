"""What the data pipeline does to an image before it is scored, as part of the graph and to the last bit."""

import tensorflow as tf


def to_signed(image: tf.Tensor) -> tf.Tensor:
    """Grey levels (B, H, W, 1) float32 in [0, 255] -> float32 in [-1, 1].

    Levels count in steps of 1/257, those of 16 bits. Of an image of 8 or 16 bits (v / 257) comes what `ranges.to_signed` says.

    Raises, in the graph:
      InvalidArgumentError: a value is outside of [0, 255], or NaN. Of an image scaled otherwise a score means nothing.
    """
    fitting = tf.reduce_all((image >= 0.0) & (image <= 255.0))
    with tf.control_dependencies([tf.debugging.Assert(fitting, ["image: grey levels must be in [0, 255]"])]):
        return sixteen_bits_to_signed(tf.round(image * 257.0))


def sixteen_bits_to_signed(values: tf.Tensor) -> tf.Tensor:
    """Whole numbers in 0 .. 65535, as float32 -> float32 in [-1, 1]."""
    # By way of float64, for in float32 TensorFlow multiplies by the inverse instead, which is not always the same.
    return tf.cast(tf.cast(values, tf.float64) / 32767.5, tf.float32) - 1.0
