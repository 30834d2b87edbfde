"""What the trainings of all GANs have in common: two networks, their optimizers, and z."""

import keras
import tensorflow as tf

from fanogan_tf.networks import latent
from fanogan_tf.training.optimization import loss_scaled
from fanogan_tf.training.randomness import key


class GanTraining(keras.Model):
    """A subclass has the `train_step`.

    prior: what z is drawn from, see `latent.draw`. n_critic: critic updates per step, each on fresh images.
    """

    prior: str
    n_critic: int

    def __init__(self, generator: keras.Model, critic: keras.Model, *, name: str, latent_dim: int, seed: int):
        super().__init__(name=name)
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
        return self.critic(self.generator(z, training=False))[0]

    def latent(self, batch: tf.Tensor, *indices) -> tf.Tensor:
        """z of the prior, a pure function of seed and `indices`: (batch, latent_dim)."""
        return latent.draw(self.prior, [batch, self.latent_dim], key(self.seed, *indices))
