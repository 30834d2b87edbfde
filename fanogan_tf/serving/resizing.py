"""Pillow's bilinear resizing in the graph. TensorFlow's own differs in how it weights and rounds."""

import tensorflow as tf


def resize(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """(h, w) float32 -> (H, W) float32, rounded to whole numbers: `image_size.resize`.

    Pillow's two passes as two products with matrices, columns before rows. It sums up in double precision, and so does this.
    """
    height, width = size
    across = tf.matmul(tf.cast(image, tf.float64), weights(tf.shape(image)[1], width), transpose_b=True)
    down = tf.matmul(weights(tf.shape(image)[0], height), tf.cast(tf.cast(across, tf.float32), tf.float64))
    return tf.ensure_shape(tf.round(tf.cast(down, tf.float32)), size)


def weights(old: tf.Tensor, new: int) -> tf.Tensor:
    """What each of `old` pixels in a row gives to each of `new` ones: (new, old) float64, every row's sum is 1.

    A triangle around the new pixel's centre, which reaches one old pixel far, or one new pixel where those are larger.
    """
    scale = tf.cast(old, tf.float64) / new
    reach = tf.maximum(scale, 1.0)
    centres = (tf.range(new, dtype=tf.float64) + 0.5) * scale
    distances = tf.abs(tf.range(tf.cast(old, tf.float64), dtype=tf.float64) + 0.5 - centres[:, tf.newaxis]) / reach
    triangle = tf.nn.relu(1.0 - distances)
    return triangle / tf.reduce_sum(triangle, axis=1, keepdims=True)
