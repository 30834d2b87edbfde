"""The autoencoder: f-AnoGAN's encoder and generator trained jointly to restore images (Schlegl et al. 2019, section 3.1)."""

import keras
import tensorflow as tf

from fanogan_tf.training import losses
from fanogan_tf.training.optimization import descend, loss_scaled
from fanogan_tf.training.randomness import key


class AutoencoderTraining(keras.Model):
    """One train step = one update of encoder and generator together. `fit` on batches (B, H, W, 1) in [-1, 1].

    The loss is the mean over the images of 1/n ||x - G(E(x))||^2; the paper names no other.
    """

    def __init__(self, encoder: keras.Model, generator: keras.Model, *, seed: int):
        super().__init__(name="autoencoder")
        self.encoder = encoder
        self.generator = generator
        self.networks = {"encoder": encoder, "generator": generator}
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {"autoencoder_optimizer": loss_scaled(optimizer, self.encoder)}
        self.optimizers["autoencoder_optimizer"].build(self.trained)

    @property
    def trained(self) -> list[keras.Variable]:
        """What the autoencoder's optimizer moves."""
        return [*self.encoder.trainable_variables, *self.generator.trainable_variables]

    def call(self, images):
        return self.generator(self.encoder(images, training=False), training=False)

    def restore(self, images: tf.Tensor, *indices) -> tf.Tensor:
        """G(E(x)) as training has it: batch normalisation by the batch, a stochastic bound's random numbers by `indices`."""
        z = self.encoder(images, training=True, seed=key(self.seed, self.step, *indices))
        return self.generator(z, training=True)

    def train_step(self, images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses.mean_square(images - self.restore(images, 0)))
        norm = descend(self.optimizers["autoencoder_optimizer"], tape, loss, self.trained)
        self.step.assign_add(1)
        return {"loss_ae": loss, "gradient_norm_ae": norm}
