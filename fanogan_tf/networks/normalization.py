"""The two normalisations of the residual networks."""

import keras
import tensorflow as tf
from keras import layers


def batch_normalization() -> layers.BatchNormalization:
    """Of each channel over the batch, in generator and encoder."""
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3)


class LayerNormalization(layers.Layer):
    """What the authors call layer normalisation: one mean and deviation per image, one gain and offset per channel.

    (B, H, W, C) -> (B, H, W, C). The same function as keras.layers.GroupNormalization(groups=1), with fewer visits to the pixels:
    what depends on images and channels alone is computed first. And with the right second derivatives, which a gradient penalty
    needs: tf.nn.moments, which that layer uses, holds the mean fixed in the variance, which is right for first derivatives only.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros")
        self.built = True

    def call(self, x, training=False):
        full = tf.cast(x, tf.float32)
        mean = tf.reduce_mean(full, axis=[1, 2, 3], keepdims=True)
        # E[x^2] - E[x]^2 can come out a little below 0 for an image without any structure.
        variance = tf.nn.relu(tf.reduce_mean(tf.square(full), axis=[1, 2, 3], keepdims=True) - tf.square(mean))
        scale = tf.math.rsqrt(variance + self.epsilon) * self.gamma
        shift = self.beta - mean * scale
        return x * tf.cast(scale, x.dtype) + tf.cast(shift, x.dtype)


def normalization(kind: str) -> keras.Layer:
    """The layer for `kind`, `batch` or `layer`."""
    return batch_normalization() if kind == "batch" else LayerNormalization()


def inference_scale_and_shift(norm: layers.BatchNormalization) -> tuple[tf.Tensor, tf.Tensor]:
    """In inference, batch normalisation is x * scale + shift per channel: both (C,) float32."""
    scale = norm.gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    return scale, norm.beta - norm.moving_mean * scale
