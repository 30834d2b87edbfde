"""Convolutions that halve or double an image's sides, folded into one strided kernel.

"3x3 convolution, then 2x2 mean pooling" visits every pixel nine times and throws four results each together. Convolution and
mean are both linear, so one 4x4 kernel with stride 2 gives the same values with 16 instead of 36 multiplications per output;
doubling first is the same read backwards. The parameters stay the 3x3 kernels: checkpoints and initialisers know nothing of it.
"""

import keras
import tensorflow as tf
from keras import layers


def he_uniform() -> keras.initializers.Initializer:
    """He-uniform on the mean of fan in and fan out: variance 4 / (fan_in + fan_out).

    A new one per layer: an initializer draws its seed once, when it is made, and would give layers of one shape the same weights.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform")


def box_filtered(kernel: tf.Tensor) -> tf.Tensor:
    """(3, 3, in, out) -> (4, 4, in, out): the sum of the four one-pixel shifts of `kernel`."""
    tall = tf.pad(kernel, [[0, 1], [0, 0], [0, 0], [0, 0]]) + tf.pad(kernel, [[1, 0], [0, 0], [0, 0], [0, 0]])
    return tf.pad(tall, [[0, 0], [0, 1], [0, 0], [0, 0]]) + tf.pad(tall, [[0, 0], [1, 0], [0, 0], [0, 0]])


def conv_mean_pool(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """3x3 convolution (zero padding) and 2x2 mean pooling: (B, H, W, in) -> (B, H/2, W/2, out), H and W even."""
    return tf.nn.conv2d(images, box_filtered(kernel) * 0.25, strides=2, padding="SAME")


def upsample_conv(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour doubling and 3x3 convolution (zero padding): (B, H, W, in) -> (B, 2H, 2W, out)."""
    # A transposed convolution correlates backwards, hence the flip, and keeps its kernel as (h, w, out, in).
    flipped = tf.transpose(box_filtered(kernel[::-1, ::-1]), [0, 1, 3, 2])
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    shape = tf.stack([batch, 2 * height, 2 * width, kernel.shape[3]])
    return tf.nn.conv2d_transpose(images, flipped, shape, strides=2, padding="SAME")


def plain_conv_mean_pool(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`conv_mean_pool` as the papers write it: the yardstick in tests and benchmarks."""
    return mean_pool(tf.nn.conv2d(images, kernel, strides=1, padding="SAME"))


def plain_upsample_conv(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`upsample_conv` as the papers write it: the yardstick in tests and benchmarks."""
    return tf.nn.conv2d(upsample(images), kernel, strides=1, padding="SAME")


def mean_pool(images: tf.Tensor) -> tf.Tensor:
    """2x2 means: (B, H, W, C) -> (B, H/2, W/2, C)."""
    return tf.nn.avg_pool2d(images, ksize=2, strides=2, padding="VALID")


def upsample(images: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour doubling: (B, H, W, C) -> (B, 2H, 2W, C)."""
    return tf.repeat(tf.repeat(images, 2, axis=1), 2, axis=2)


class _Resampling(layers.Layer):
    """A 3x3 convolution joined with a change of size; its parameters are those of the plain convolution."""

    def __init__(self, filters: int, use_bias: bool, folded: bool, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.use_bias = use_bias
        self.folded = folded

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(3, 3, input_shape[-1], self.filters), initializer=he_uniform())
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.built = True

    def resample(self, images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def call(self, images):
        outputs = self.resample(images, tf.cast(self.kernel, self.compute_dtype))
        return outputs + tf.cast(self.bias, self.compute_dtype) if self.use_bias else outputs


class ConvMeanPool(_Resampling):
    """3x3 convolution, then 2x2 mean pooling: (B, H, W, in) -> (B, H/2, W/2, filters)."""

    def resample(self, images, kernel):
        return (conv_mean_pool if self.folded else plain_conv_mean_pool)(images, kernel)


class UpsampleConv(_Resampling):
    """Nearest-neighbour doubling, then 3x3 convolution: (B, H, W, in) -> (B, 2H, 2W, filters)."""

    def resample(self, images, kernel):
        return (upsample_conv if self.folded else plain_upsample_conv)(images, kernel)
