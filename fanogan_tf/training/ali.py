"""ALI and BiGAN, the same method by two names (Dumoulin et al. 2017; Donahue et al. 2017).

The discriminator sees pairs and must tell (x, E(x)) from (G(z), z); where it cannot, E is G's inverse. No loss compares x with
G(E(x)). E is BiGAN's, a function without noise.
"""

import keras
import tensorflow as tf

from fanogan_tf.networks import latent
from fanogan_tf.training import logit_losses
from fanogan_tf.training.optimization import descend, loss_scaled
from fanogan_tf.training.randomness import key


def discriminator_loss(encoded: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """mean -log D(x, E(x)) + mean -log(1 - D(G(z), z)), of logits (B,); 2 log 2 while D knows nothing."""
    return logit_losses.discriminator_loss(encoded, generated)


def encoder_generator_loss(encoded: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """mean -log(1 - D(x, E(x))) + mean -log D(G(z), z): the discriminator's, with the two kinds taken for each other.

    It does not saturate while D tells them easily, as the negative of D's loss would.
    """
    return logit_losses.discriminator_loss(generated, encoded)


class Ali(keras.Model):
    """One train step = one update of the discriminator and one of encoder and generator, both from the networks as they were.

    `fit` on batches (B, H, W, 1) in [-1, 1]. (ALI, algorithm 1.)
    """

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        pair_discriminator: keras.Model,
        *,
        latent_dim: int,
        seed: int,
        prior: str = "normal",
    ):
        """`prior`: what z is drawn from, see `latent.draw`."""
        super().__init__(name="ali")
        self.encoder = encoder
        self.generator = generator
        self.pair_discriminator = pair_discriminator
        self.networks = {"encoder": encoder, "generator": generator, "pair_discriminator": pair_discriminator}
        self.latent_dim = latent_dim
        self.seed = seed
        self.prior = prior
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, encoder_generator_optimizer, discriminator_optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {
            "encoder_generator_optimizer": loss_scaled(encoder_generator_optimizer, self.encoder),
            "discriminator_optimizer": loss_scaled(discriminator_optimizer, self.pair_discriminator),
        }
        self.optimizers["encoder_generator_optimizer"].build(self.encoder_and_generator)
        self.optimizers["discriminator_optimizer"].build(self.pair_discriminator.trainable_variables)

    @property
    def encoder_and_generator(self) -> list[keras.Variable]:
        """What these two, updated as one, consist of."""
        return [*self.encoder.trainable_variables, *self.generator.trainable_variables]

    def call(self, images):
        z = self.encoder(images, training=False)
        return self.pair_discriminator(self.generator(z, training=False), z)[0]

    def train_step(self, images):
        z = latent.draw(self.prior, [tf.shape(images)[0], self.latent_dim], key(self.seed, self.step, 0))
        with tf.GradientTape() as joint_tape, tf.GradientTape() as discriminator_tape:
            codes = self.encoder(images, training=True, seed=key(self.seed, self.step, 1))
            fake = self.generator(z, training=True)
            # Both kinds in one pass: the discriminator normalises each pair by itself, so neighbours change nothing.
            logits, _ = self.pair_discriminator(tf.concat([images, fake], axis=0), tf.concat([codes, z], axis=0))
            encoded, generated = tf.split(logits, 2)
            loss_d = discriminator_loss(encoded, generated)
            loss_eg = encoder_generator_loss(encoded, generated)
        discriminator, joint = self.optimizers["discriminator_optimizer"], self.optimizers["encoder_generator_optimizer"]
        norm_d = descend(discriminator, discriminator_tape, loss_d, self.pair_discriminator.trainable_variables)
        norm_eg = descend(joint, joint_tape, loss_eg, self.encoder_and_generator)
        self.step.assign_add(1)
        return {
            "loss_d": loss_d,
            "loss_eg": loss_eg,
            "discriminator_encoded": tf.reduce_mean(tf.sigmoid(encoded)),
            "discriminator_generated": tf.reduce_mean(tf.sigmoid(generated)),
            "gradient_norm_d": norm_d,
            "gradient_norm_eg": norm_eg,
        }
