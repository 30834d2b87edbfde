"""The residual networks of f-AnoGAN (Schlegl et al. 2019, section 2; blocks after Gulrajani et al. 2017).

Images are float32 (B, H, W, 1) in [-1, 1]. Under a mixed precision policy the networks compute in 16 bits; their inputs and
outputs stay float32.
"""

import math

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.networks import latent
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.normalization import BatchNormalization, normalization
from fanogan_tf.networks.resampling import Conv3x3, ConvMeanPool, UpsampleConv, he_uniform, mean_pool, upsample


def _normalized(conv: Conv3x3, norm: layers.Layer, x: tf.Tensor, training: bool) -> tf.Tensor:
    """Computes norm(conv(x)). Inference merges batch normalisation into the convolution: a scaled kernel and a bias."""
    if not isinstance(norm, BatchNormalization):
        return norm(conv(x))
    if training or not (conv.folded and norm.built):
        return norm(conv(x), training=training)
    scale, shift = norm.inference_scale_and_shift()
    x = tf.cast(x, conv.compute_dtype)
    return tf.nn.bias_add(conv.convolve(x, tf.cast(tf.cast(conv.kernel, scale.dtype) * scale, x.dtype)), tf.cast(shift, x.dtype))


class UpBlock(layers.Layer):
    """Residual block that doubles the sides: (B, H, W, in) -> (B, 2H, 2W, filters)."""

    def __init__(self, filters: int, folded: bool):
        super().__init__()
        self.norm_1 = BatchNormalization()
        self.conv_1 = UpsampleConv(filters, use_bias=False, folded=folded)
        self.norm_2 = BatchNormalization()
        self.conv_2 = layers.Conv2D(filters, 3, padding="same", kernel_initializer=he_uniform())
        self.shortcut = layers.Conv2D(filters, 1)

    def call(self, x, training=False):
        main = tf.nn.relu(self.norm_1(x, training=training))
        main = _normalized(self.conv_1, self.norm_2, main, training)
        main = self.conv_2(tf.nn.relu(main))
        # A 1x1 convolution commutes with doubling: on the small image it costs a quarter.
        return main + upsample(self.shortcut(x), training)


class DownBlock(layers.Layer):
    """Residual block that halves the sides: (B, H, W, in) -> (B, H/2, W/2, filters).

    kind: of normalisation, `batch` or `layer`.
    """

    def __init__(self, filters: int, kind: str, folded: bool):
        super().__init__()
        self.folded = folded
        self.norm_1 = normalization(kind)
        self.norm_2 = normalization(kind)
        self.conv_2 = ConvMeanPool(filters, use_bias=True, folded=folded)
        self.shortcut = layers.Conv2D(filters, 1)

    def build(self, input_shape):
        self.conv_1 = Conv3x3(input_shape[-1], use_bias=False, folded=self.folded)
        super().build(input_shape)

    def call(self, x, training=False):
        main = tf.nn.relu(self.norm_1(x, training=training))
        main = _normalized(self.conv_1, self.norm_2, main, training)
        main = self.conv_2(tf.nn.relu(main))
        return main + self.shortcut(mean_pool(x))


class Body(layers.Layer):
    """The layers common to critic and encoder: images (B, H, W, 1) -> the maps of all blocks.

    From the largest map to the smallest: (B, H/2, W/2, c1), (B, H/4, W/4, c2), ... `flat_features` makes rows of the last one.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int, kind: str, folded: bool):
        super().__init__()
        first, *rest = geometry(*image_shape[:2]).down_filters(dim)
        self.conv = layers.Conv2D(first, 3, padding="same")
        self.blocks = [DownBlock(filters, kind, folded) for filters in rest]

    def call(self, images, training=False):
        x, maps = self.conv(images), []
        for block in self.blocks:
            x = block(x, training=training)
            maps.append(x)
        return maps


def flat_features(maps: list[tf.Tensor]) -> tf.Tensor:
    """The last of a body's maps as rows: (B, base height * base width * last filters)."""
    last = maps[-1]
    return tf.reshape(last, (tf.shape(last)[0], math.prod(last.shape[1:])))


def value_of_map(last: tf.Tensor, dense: layers.Dense) -> tf.Tensor:
    """What `dense` makes of the last map (B, h, w, c) as a row: (B,) float32.

    Summed over channels, then over places. In one sum of thousands, whose terms are much larger than it is, every runtime rounds
    otherwise, by the order in which it sums.
    """
    kernel = tf.reshape(tf.cast(dense.kernel, tf.float32), last.shape[1:])
    return tf.reduce_sum(tf.reduce_sum(last * kernel, axis=3), axis=[1, 2]) + tf.cast(dense.bias[0], tf.float32)


class Generator(keras.Model):
    """G: z (B, latent_dim) -> images (B, H, W, 1) in (-1, 1)."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="generator")
        geo = geometry(*image_shape[:2])
        first, *rest = geo.up_filters(dim)
        self.dense = layers.Dense(geo.base[0] * geo.base[1] * first)
        self.reshape = layers.Reshape((*geo.base, first))
        self.blocks = [UpBlock(filters, folded) for filters in rest]
        self.norm = BatchNormalization()
        self.conv = layers.Conv2D(image_shape[2], 3, padding="same", kernel_initializer=he_uniform())

    def call(self, z, training=False):
        x = self.reshape(self.dense(z))
        for block in self.blocks:
            x = block(x, training=training)
        x = self.conv(tf.nn.relu(self.norm(x, training=training)))
        return tf.tanh(tf.cast(x, tf.float32))


class Critic(keras.Model):
    """D and its features: images (B, H, W, 1) -> (critic values (B,), f(x) (B, n_d)), both float32."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="critic")
        self.body = Body(image_shape, dim, "layer", folded)
        self.dense = layers.Dense(1)

    def call(self, images):
        features = flat_features(self.body(images))
        return tf.cast(self.dense(features)[:, 0], tf.float32), tf.cast(features, tf.float32)

    def hidden(self, images):
        """What `call` returns, and the maps of all blocks, from the largest to the smallest: (B, h, w, c) each, float32."""
        maps = [tf.cast(one, tf.float32) for one in self.body(images)]
        return value_of_map(maps[-1], self.dense), flat_features(maps), maps


class Encoder(keras.Model):
    """E: images (B, H, W, 1) -> z (B, latent_dim) inside its bound. `bound`, `seed`: see `latent.bounded`."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, latent_dim: int, bound: str = "tanh", folded: bool = True):
        super().__init__(name="encoder")
        self.bound = bound
        self.body = Body(image_shape, dim, "batch", folded)
        self.dense = layers.Dense(latent_dim)

    def call(self, images, training=False, seed=None):
        z = self.dense(flat_features(self.body(images, training=training)))
        return latent.bounded(self.bound, tf.cast(z, tf.float32), seed)
