"""Convolutions that halve or double an image's sides, for a quarter of the multiplications.

"3x3 convolution, then 2x2 mean pooling" computes four values and keeps their mean. Both are linear and treat all pixels alike, so
their order can be swapped: first the mean of each pixel and its neighbours right and below, then the convolution where it is
needed. That takes 9 instead of 36 multiplications per output (one 4x4 kernel that does both at once takes 16). Doubling works
the same way in reverse. The parameters remain 3x3 kernels, so checkpoints and initialisers are not affected.
"""

import functools
from collections.abc import Callable

import keras
import tensorflow as tf
from absl import logging
from keras import layers


def he_uniform() -> keras.initializers.Initializer:
    """Returns the He-uniform initializer on the mean of fan in and fan out: variance 4 / (fan_in + fan_out).

    Each layer needs its own: an initializer draws its seed once, when it is made, and gives layers of one shape equal weights.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform")


def conv_mean_pool(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves 3x3 (zero padding), then pools 2x2 means: (B, H, W, in) -> (B, H/2, W/2, out), H and W even."""
    means = tf.nn.avg_pool2d(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), ksize=2, strides=1, padding="VALID")
    return tf.nn.conv2d(means, kernel, strides=2, padding="VALID")


def upsample_conv(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Doubles the sides (nearest neighbour), then convolves 3x3 (zero padding): (B, H, W, in) -> (B, 2H, 2W, out)."""
    # A transposed convolution correlates backwards, hence the flip, and its kernel is (h, w, out, in). Doubling needs the sum of
    # four neighbours, not their mean, hence the 4; the kernel is the smallest tensor to multiply by it.
    flipped = 4.0 * tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    shape = tf.stack([batch, 2 * height + 1, 2 * width + 1, kernel.shape[3]])
    spread = tf.nn.conv2d_transpose(images, flipped, shape, strides=2, padding="VALID")
    return tf.nn.avg_pool2d(spread, ksize=2, strides=1, padding="VALID")


def plain_conv_mean_pool(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Computes `conv_mean_pool` in the order of the papers: the yardstick in tests and benchmarks."""
    return mean_pool(tf.nn.conv2d(images, kernel, strides=1, padding="SAME"))


def plain_upsample_conv(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Computes `upsample_conv` in the order of the papers: the yardstick in tests and benchmarks."""
    return tf.nn.conv2d(upsample(images), kernel, strides=1, padding="SAME")


def mean_pool(images: tf.Tensor) -> tf.Tensor:
    """Pools 2x2 means: (B, H, W, C) -> (B, H/2, W/2, C)."""
    return tf.nn.avg_pool2d(images, ksize=2, strides=2, padding="VALID")


def upsample(images: tf.Tensor, training: bool = True) -> tf.Tensor:
    """Doubles the sides (nearest neighbour): (B, H, W, C) -> (B, 2H, 2W, C).

    training: by an operation whose own gradient is a mean pool, but which TensorFlow alone has; else by one of every runtime.
    """
    if not training:
        return _doubled(images)
    batch, height, width = (images.shape[axis] or tf.shape(images)[axis] for axis in range(3))
    # The gradient of a mean pool spreads a quarter of each pixel over four.
    return tf.raw_ops.AvgPoolGrad(
        orig_input_shape=tf.stack([batch, 2 * height, 2 * width, images.shape[3]]),
        grad=4.0 * images,
        ksize=[1, 2, 2, 1],
        strides=[1, 2, 2, 1],
        padding="VALID",
    )


@tf.custom_gradient
def _doubled(images: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The same with a gradient that XLA has, unlike the operation's own: an encoder is trained through a generator at rest."""
    size = [2 * (images.shape[axis] or tf.shape(images)[axis]) for axis in (1, 2)]
    return tf.raw_ops.ResizeNearestNeighbor(images=images, size=size), lambda upstream: 4.0 * mean_pool(upstream)


@functools.cache
def _say_plain() -> None:
    """Warns once, in one line."""
    logging.warning("feature maps of odd or unknown size: their convolutions are computed the plain, slower way")


class Conv3x3(layers.Layer):
    """3x3 convolution, zero padding: (B, H, W, in) -> (B, H, W, filters). Base of the convolutions that also change the size.

    folded: whether the convolution may be merged with the resampling or normalisation next to it.
    """

    def __init__(self, filters: int, use_bias: bool, folded: bool, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.use_bias = use_bias
        self.folded = folded

    def build(self, input_shape):
        if self.folded and not self.can_fold(input_shape):
            _say_plain()
            self.folded = False
        self.kernel = self.add_weight(name="kernel", shape=(3, 3, input_shape[-1], self.filters), initializer=he_uniform())
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.built = True

    def can_fold(self, input_shape: tuple[int | None, ...]) -> bool:
        """Tells whether the fast form takes feature maps of that shape."""
        return True

    def convolve(self, images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Applies the layer without its bias, with any kernel of its shape."""
        return tf.nn.conv2d(images, kernel, strides=1, padding="SAME")

    def call(self, images):
        outputs = self.convolve(images, tf.cast(self.kernel, self.compute_dtype))
        return tf.nn.bias_add(outputs, tf.cast(self.bias, self.compute_dtype)) if self.use_bias else outputs


class ConvMeanPool(Conv3x3):
    """3x3 convolution, then 2x2 mean pooling: (B, H, W, in) -> (B, H/2, W/2, filters). An odd side loses its last line."""

    def can_fold(self, input_shape):
        return all(side is not None and side % 2 == 0 for side in input_shape[1:3])

    def convolve(self, images, kernel):
        return (conv_mean_pool if self.folded else plain_conv_mean_pool)(images, kernel)


class UpsampleConv(Conv3x3):
    """Nearest-neighbour doubling, then 3x3 convolution: (B, H, W, in) -> (B, 2H, 2W, filters)."""

    def can_fold(self, input_shape):
        return None not in input_shape[1:3]

    def convolve(self, images, kernel):
        return (upsample_conv if self.folded else plain_upsample_conv)(images, kernel)
