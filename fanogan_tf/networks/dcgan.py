"""The networks of AnoGAN (Schlegl et al. 2017, section 3): a DCGAN (Radford et al. 2016) with 5x5 kernels on grey images.

Images are float32 (B, H, W, 1) in [-1, 1]. Under a mixed precision policy the networks compute in 16 bits; their inputs and
outputs stay float32.
"""

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.normalization import BatchNormalization
from fanogan_tf.networks.resnet import flat_features, value_of_map

KERNEL = 5
LEAK = 0.2  # slope of the discriminator's leaky relu below 0


def first_weights() -> keras.initializers.Initializer:
    """Returns DCGAN's initializer N(0, 0.02). Each layer needs its own: an initializer draws its seed once, when it is made."""
    return keras.initializers.RandomNormal(0.0, 0.02)


class StridedConv(layers.Layer):
    """5x5 convolution that halves the sides, then batch normalisation or, without `normed`, a bias: -> (B, H/2, W/2, filters).

    folded: whether inference merges batch normalisation into the convolution before it: a scaled kernel and a bias.
    """

    kernel_axes = (0, 1)  # The places of (in, out) among the kernel's last two axes.

    def __init__(self, filters: int, normed: bool, folded: bool):
        super().__init__()
        self.filters = filters
        self.folded = folded
        # As in DCGAN: each step, the moving averages keep 90 %.
        self.norm = BatchNormalization(momentum=0.9, epsilon=1e-5) if normed else None

    def build(self, input_shape):
        channels = (input_shape[-1], self.filters)
        shape = (KERNEL, KERNEL, *(channels[axis] for axis in self.kernel_axes))
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=first_weights())
        if self.norm is None:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        else:
            self.norm.build((None, None, None, self.filters))
        self.built = True

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, kernel, strides=2, padding="SAME")

    def scaled(self, scale: tf.Tensor) -> tf.Tensor:
        """Multiplies each output channel of the kernel by its scale (filters,)."""
        return tf.cast(self.kernel, scale.dtype) * scale

    def call(self, x, training=False):
        x = tf.cast(x, self.compute_dtype)
        if self.norm is None:
            kernel, shift = self.kernel, self.bias
        elif training or not self.folded:
            return self.norm(self.convolve(x, tf.cast(self.kernel, x.dtype)), training=training)
        else:
            scale, shift = self.norm.inference_scale_and_shift()
            kernel = self.scaled(scale)
        return tf.nn.bias_add(self.convolve(x, tf.cast(kernel, x.dtype)), tf.cast(shift, x.dtype))


class FractionallyStridedConv(StridedConv):
    """`StridedConv` transposed, a 5x5 convolution that doubles the sides: -> (B, 2H, 2W, filters)."""

    kernel_axes = (1, 0)

    def convolve(self, x, kernel):
        shape = tf.stack([tf.shape(x)[0], 2 * x.shape[1], 2 * x.shape[2], self.filters])
        return tf.nn.conv2d_transpose(x, kernel, shape, strides=2, padding="SAME")

    def scaled(self, scale):
        return tf.cast(self.kernel, scale.dtype) * scale[:, None]


class Generator(keras.Model):
    """G: z (B, latent_dim) -> images (B, H, W, 1) in (-1, 1).

    A dense layer, then one fractionally strided convolution per block of the geometry. The feature maps that enter them have
    ..., 4 dim, 2 dim, dim channels, at most 8 dim: 512-256-128-64 for 64x64 images and dim 64. The last convolution returns the
    image.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="generator")
        geo = geometry(*image_shape[:2])
        first, *rest = geo.up_filters(dim)[1:]
        self.dense = layers.Dense(geo.base[0] * geo.base[1] * first, use_bias=False, kernel_initializer=first_weights())
        self.reshape = layers.Reshape((*geo.base, first))
        self.norm = BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.blocks = [FractionallyStridedConv(filters, True, folded) for filters in rest]
        self.conv = FractionallyStridedConv(image_shape[2], False, folded)

    def call(self, z, training=False):
        x = tf.nn.relu(self.norm(self.reshape(self.dense(z)), training=training))
        for block in self.blocks:
            x = tf.nn.relu(block(x, training=training))
        return tf.tanh(tf.cast(self.conv(x), tf.float32))


class Discriminator(keras.Model):
    """D and its features: images (B, H, W, 1) -> (logits (B,) that an image is real, f(x) (B, n_d)), both float32.

    The generator's mirror image: dim, 2 dim, 4 dim, ... filters, batch normalisation after all convolutions but the first. f is
    the last convolution's output after its leaky relu (the layer that AnoGAN names in section 3.1): 4 * 4 * 8 dim values.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="critic")
        filters = geometry(*image_shape[:2]).down_filters(dim)[:-1]
        self.blocks = [StridedConv(count, i > 0, folded) for i, count in enumerate(filters)]
        self.dense = layers.Dense(1, kernel_initializer=first_weights())

    def call(self, images, training=False):
        features = flat_features(self._maps(images, training))
        return tf.cast(self.dense(features)[:, 0], tf.float32), tf.cast(features, tf.float32)

    def hidden(self, images):
        """What `call` returns, and the maps of all blocks, from the largest to the smallest: (B, h, w, c) each, float32."""
        maps = [tf.cast(one, tf.float32) for one in self._maps(images, training=False)]
        return value_of_map(maps[-1], self.dense), flat_features(maps), maps

    def _maps(self, images, training):
        x, maps = images, []
        for block in self.blocks:
            x = tf.nn.leaky_relu(block(x, training=training), LEAK)
            maps.append(x)
        return maps
