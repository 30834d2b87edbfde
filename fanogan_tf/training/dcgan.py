"""The DCGAN's training (Radford et al. 2016; what AnoGAN stands on, Schlegl et al. 2017, section 2.1)."""

import keras
import tensorflow as tf

from fanogan_tf.training import logit_losses
from fanogan_tf.training.gan import GanTraining
from fanogan_tf.training.optimization import descend


class Dcgan(GanTraining):
    """One train step = one discriminator and one generator update, both from the networks as they were before it.

    `fit` on batches (B, H, W, 1) in [-1, 1]. `critic` is the discriminator, called as in every GAN here.
    """

    n_critic = 1
    prior = "uniform"

    def __init__(self, generator: keras.Model, critic: keras.Model, *, latent_dim: int, seed: int):
        super().__init__(generator, critic, name="dcgan", latent_dim=latent_dim, seed=seed)

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
