"""The DCGAN's training (Radford et al. 2016; what AnoGAN stands on, Schlegl et al. 2017, section 2.1)."""

import keras
import tensorflow as tf

from fanogan_tf.networks import latent
from fanogan_tf.training import logit_losses
from fanogan_tf.training.optimization import descend, loss_scaled
from fanogan_tf.training.randomness import key


class Dcgan(keras.Model):
    """One train step = one discriminator and one generator update, both from the networks as they were before it.

    `fit` on batches (B, H, W, 1) in [-1, 1]. `critic` is the discriminator, called as in every GAN here.
    """

    n_critic = 1  # discriminator updates per step
    prior = "uniform"  # what z is drawn from, see `latent.draw`

    def __init__(self, generator: keras.Model, critic: keras.Model, *, latent_dim: int, seed: int):
        super().__init__(name="dcgan")
        self.generator = generator
        self.critic = critic
        self.networks = {"generator": generator, "critic": critic}
        self.latent_dim = latent_dim
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, generator_optimizer, critic_optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {
            "generator_optimizer": loss_scaled(generator_optimizer, self.generator),
            "critic_optimizer": loss_scaled(critic_optimizer, self.critic),
        }
        self.optimizers["generator_optimizer"].build(self.generator.trainable_variables)
        self.optimizers["critic_optimizer"].build(self.critic.trainable_variables)

    def call(self, z):
        return self.critic(self.generator(z, training=False), training=False)[0]

    def latent(self, batch: tf.Tensor, *indices) -> tf.Tensor:
        """z of the prior: (batch, latent_dim)."""
        return latent.draw(self.prior, [batch, self.latent_dim], key(self.seed, *indices))

    def train_step(self, images):
        z = self.latent(tf.shape(images)[0], self.step)
        with tf.GradientTape() as generator_tape, tf.GradientTape() as critic_tape:
            fake = self.generator(z, training=True)
            # Each kind by itself: batch normalisation over both would tell the discriminator which is which. Its moving
            # averages, which scoring uses, see as many real images as generated ones.
            real_logits, _ = self.critic(images, training=True)
            fake_logits, _ = self.critic(fake, training=True)
            loss_d = logit_losses.discriminator_loss(real_logits, fake_logits)
            loss_g = logit_losses.non_saturating_loss(fake_logits)
        norm_d = descend(self.optimizers["critic_optimizer"], critic_tape, loss_d, self.critic.trainable_variables)
        norm_g = descend(self.optimizers["generator_optimizer"], generator_tape, loss_g, self.generator.trainable_variables)
        self.step.assign_add(1)
        return {
            "loss_d": loss_d,
            "loss_g": loss_g,
            "discriminator_real": tf.reduce_mean(tf.sigmoid(real_logits)),
            "discriminator_fake": tf.reduce_mean(tf.sigmoid(fake_logits)),
            "gradient_norm_d": norm_d,
            "gradient_norm_g": norm_g,
        }
