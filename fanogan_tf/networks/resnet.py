"""The residual networks of f-AnoGAN (Schlegl et al. 2019, section 2; blocks after Gulrajani et al. 2017).

All images are float32 (B, H, W, 1) in [-1, 1]. Under a mixed precision policy the arithmetic inside is bfloat16; what goes in and
what comes out stays float32.
"""

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.networks import bounds
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.resampling import ConvMeanPool, UpsampleConv, he_uniform, mean_pool, upsample


def _normalization(kind: str) -> layers.Layer:
    if kind == "batch":
        return layers.BatchNormalization(momentum=0.99, epsilon=1e-3)
    # One mean and deviation per image, one gain and offset per channel: what the authors call layer normalisation.
    return layers.GroupNormalization(groups=1, epsilon=1e-5)


class UpBlock(layers.Layer):
    """(B, H, W, in) -> (B, 2H, 2W, filters)."""

    def __init__(self, filters: int, folded: bool):
        super().__init__()
        self.norm_1 = _normalization("batch")
        self.conv_1 = UpsampleConv(filters, use_bias=False, folded=folded)
        self.norm_2 = _normalization("batch")
        self.conv_2 = layers.Conv2D(filters, 3, padding="same", kernel_initializer=he_uniform())
        self.shortcut = layers.Conv2D(filters, 1)

    def call(self, x, training=False):
        main = self.conv_1(tf.nn.relu(self.norm_1(x, training=training)))
        main = self.conv_2(tf.nn.relu(self.norm_2(main, training=training)))
        # A 1x1 convolution commutes with doubling: on the small image it costs a quarter.
        return main + upsample(self.shortcut(x))


class DownBlock(layers.Layer):
    """(B, H, W, in) -> (B, H/2, W/2, filters)."""

    def __init__(self, filters: int, normalization: str, folded: bool):
        super().__init__()
        self.filters = filters
        self.normalization = normalization
        self.norm_1 = _normalization(normalization)
        self.norm_2 = _normalization(normalization)
        self.conv_2 = ConvMeanPool(filters, use_bias=True, folded=folded)
        self.shortcut = layers.Conv2D(filters, 1)

    def build(self, input_shape):
        self.conv_1 = layers.Conv2D(input_shape[-1], 3, padding="same", use_bias=False, kernel_initializer=he_uniform())
        super().build(input_shape)

    def call(self, x, training=False):
        arguments = {"training": training} if self.normalization == "batch" else {}
        main = self.conv_1(tf.nn.relu(self.norm_1(x, **arguments)))
        main = self.conv_2(tf.nn.relu(self.norm_2(main, **arguments)))
        return main + self.shortcut(mean_pool(x))


class Body(layers.Layer):
    """What critic and encoder share: (B, H, W, 1) -> flat features (B, base height * base width * last filters)."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, normalization: str, folded: bool):
        super().__init__()
        first, *rest = geometry(*image_shape[:2]).down_filters(dim)
        self.conv = layers.Conv2D(first, 3, padding="same")
        self.blocks = [DownBlock(filters, normalization, folded) for filters in rest]
        self.flatten = layers.Flatten()

    def call(self, images, training=False):
        x = self.conv(images)
        for block in self.blocks:
            x = block(x, training=training)
        return self.flatten(x)


class Generator(keras.Model):
    """G: z (B, latent_dim) -> images (B, H, W, 1) in (-1, 1)."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="generator")
        geo = geometry(*image_shape[:2])
        first, *rest = geo.up_filters(dim)
        self.dense = layers.Dense(geo.base[0] * geo.base[1] * first)
        self.reshape = layers.Reshape((*geo.base, first))
        self.blocks = [UpBlock(filters, folded) for filters in rest]
        self.norm = _normalization("batch")
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
        features = self.body(images)
        return tf.cast(self.dense(features)[:, 0], tf.float32), tf.cast(features, tf.float32)


class Encoder(keras.Model):
    """E: images (B, H, W, 1) -> z (B, latent_dim) inside its bound. `seed`: see `bounds.bounded`."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, latent_dim: int, bound: str = "tanh", folded: bool = True):
        super().__init__(name="encoder")
        self.bound = bound
        self.body = Body(image_shape, dim, "batch", folded)
        self.dense = layers.Dense(latent_dim)

    def call(self, images, training=False, seed=None):
        z = self.dense(self.body(images, training=training))
        return bounds.bounded(self.bound, tf.cast(z, tf.float32), seed)
