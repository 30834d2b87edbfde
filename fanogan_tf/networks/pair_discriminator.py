"""The discriminator of ALI and BiGAN: which of two ways an image and a latent vector came together."""

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.networks.resnet import Body

LEAK = 0.2  # slope of the leaky relu below 0


class PairDiscriminator(keras.Model):
    """D and its features: images (B, H, W, 1) and z (B, latent_dim) -> (logits (B,), f(x, z) (B, 16 dim)), all float32.

    A logit is high for (x, E(x)), low for (G(z), z). The image goes through the critic's body, z through a dense layer; f is the
    dense layer above both, the last before the logit. That is how Zenati et al. 2018 detect anomalies with a BiGAN; their widths,
    512 for z and 1,024 for f, are these with dim 64. Their dropout is left out.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="pair_discriminator")
        # Layer normalisation, as in the critic: batch normalisation would tell it which kind is which by the batch.
        self.body = Body(image_shape, dim, "layer", folded)
        self.dense_z = layers.Dense(8 * dim)
        self.dense_pair = layers.Dense(16 * dim)
        self.dense = layers.Dense(1)

    def call(self, images, z):
        parts = [self.body(images), self.dense_z(z)]
        joined = tf.nn.leaky_relu(tf.concat(parts, axis=-1), LEAK)
        features = tf.nn.leaky_relu(self.dense_pair(joined), LEAK)
        return tf.cast(self.dense(features)[:, 0], tf.float32), tf.cast(features, tf.float32)
