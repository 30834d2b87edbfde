"""The trainings of GANs: a Wasserstein GAN with gradient penalty, and a DCGAN, on one common base.

WGAN-GP is phase 1 of f-AnoGAN (section 2.1; Gulrajani et al. 2017, algorithm 1). The DCGAN (Radford et al. 2016) is what AnoGAN
stands on (Schlegl et al. 2017, section 2.1).
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from fanogan_tf.distributed import replicas
from fanogan_tf.networks import latent
from fanogan_tf.networks.latent import key
from fanogan_tf.random_streams import GanDraw
from fanogan_tf.training import losses
from fanogan_tf.training.augmentation import augmented
from fanogan_tf.training.averaging import Average
from fanogan_tf.training.calls import Training
from fanogan_tf.training.optimization import descend, loss_scaled


class GanTraining(Training):
    """A subclass has the `train_step`.

    prior: what z is drawn from, see `latent.draw`. n_critic: critic updates per step, each on fresh images.
    averages: the moving average of both networks, where there is one; see `use_averages`.
    """

    prior: str
    n_critic: int

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        name: str,
        latent_dim: int,
        seed: int,
        average: float = 0.0,
        changes: tuple[str, ...] = (),
    ):
        """`average`: decay of the moving average of the weights; 0 keeps none. `changes`: see `augmentation.augmented`."""
        super().__init__(name=name)
        self.generator = generator
        self.critic = critic
        self.networks = {"generator": generator, "critic": critic}
        self.averages = {"average": Average((generator, critic), average)} if average else {}
        self.latent_dim = latent_dim
        self.seed = seed
        self.changes = changes
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

    def use_averages(self) -> None:
        """Gives generator and critic their averaged weights, once they are trained."""
        for average in self.averages.values():
            average.put()

    def _count_step(self) -> None:
        """What every train step ends with."""
        for average in self.averages.values():
            average.update(self.step)
        self.step.assign_add(1)

    def latent(self, batch: tf.Tensor, *indices) -> tf.Tensor:
        """Z of the prior, a pure function of seed and `indices`: (batch, latent_dim)."""
        return latent.draw(self.prior, [batch, self.latent_dim], key(self.seed, *indices))

    def changed(self, images: tf.Tensor, *indices) -> tf.Tensor:
        """What the critic sees of images, a pure function of seed and `indices`: the same shape."""
        return augmented(images, self.changes, key(self.seed, *indices)) if self.changes else images


class Dcgan(GanTraining):
    """One train step = one discriminator and one generator update, both from the networks as they were before it.

    `fit` on batches (B, H, W, 1) in [-1, 1]. `critic` is the discriminator, called as in every GAN here.
    """

    n_critic = 1
    prior = "uniform"

    def __init__(self, generator: keras.Model, critic: keras.Model, **settings):
        """`settings`: see `GanTraining`."""
        super().__init__(generator, critic, name="dcgan", **settings)

    def train_step(self, images):
        z = self.latent(tf.shape(images)[0], self.step)
        with tf.GradientTape() as generator_tape, tf.GradientTape() as critic_tape:
            fake = self.changed(self.generator(z, training=True), self.step, GanDraw.CHANGE_OF_GENERATED)
            # Each kind by itself: batch normalisation over both would tell the discriminator which is which. Its moving
            # averages, which scoring uses, see as many real images as generated ones.
            real_logits, _ = self.critic(self.changed(images, self.step, GanDraw.CHANGE_OF_REAL), training=True)
            fake_logits, _ = self.critic(fake, training=True)
            loss_d = losses.discriminator_loss(real_logits, fake_logits)
            loss_g = losses.non_saturating_loss(fake_logits)
        norm_d = descend(self.optimizers["critic_optimizer"], critic_tape, loss_d, self.critic.trainable_variables)
        norm_g = descend(self.optimizers["generator_optimizer"], generator_tape, loss_g, self.generator.trainable_variables)
        self._count_step()
        return {
            "loss_d": loss_d,
            "loss_g": loss_g,
            "discriminator_real": tf.reduce_mean(tf.sigmoid(real_logits)),
            "discriminator_fake": tf.reduce_mean(tf.sigmoid(fake_logits)),
            "gradient_norm_d": norm_d,
            "gradient_norm_g": norm_g,
        }


CRITIC_LOGS = ("loss_d", "critic_real", "critic_fake", "wasserstein", "gradient_penalty", "gradient_norm_d")

# At the penalty's goal, a norm of 1 over some 64 x 64 pixels, the gradient at one of them is about 2**-6; float16 has its full
# precision from 2**-14 to 2**16. This moves the one to the middle of the other.
FLOAT16_PENALTY_SCALE = 2.0**7


class Penalty(NamedTuple):
    """The gradient penalty of a critic's updates: its weight, and that it is taken in each `every`-th one alone.

    There it is `every` times as strong (lazy regularisation, Karras et al. 2020, section 3.1): nearly half of an update's time
    is the penalty's. At 1, every update has it, as in the paper.
    """

    weight: float
    every: int = 1


def update_critic(
    critic: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    real: tf.Tensor,
    fake: tf.Tensor,
    seed: tf.Tensor,
    number: tf.Tensor,
    penalty: Penalty,
) -> dict[str, tf.Tensor]:
    """One update of the critic on real and fake images, both (B, H, W, 1); returns `CRITIC_LOGS`.

    `seed`: of the mixtures where the gradient penalty is taken; `number`: of the update, from 0 on. An update without the penalty
    tells it as 0.
    """
    if penalty.every == 1:
        return _critic_step(critic, optimizer, real, fake, seed, penalty.weight)
    # The last of the first `every` updates has it: with `n_critic` of them, so has the one that a step tells of.
    due = tf.equal((number + 1) % penalty.every, 0)
    return replicas.cond(
        due,
        lambda: _critic_step(critic, optimizer, real, fake, seed, penalty.every * penalty.weight),
        lambda: _critic_step(critic, optimizer, real, fake, seed, 0.0),
    )


def _critic_step(
    critic: keras.Model, optimizer: keras.optimizers.Optimizer, real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor, weight: float
) -> dict[str, tf.Tensor]:
    penalty_scale = FLOAT16_PENALTY_SCALE if critic.compute_dtype == "float16" else 1.0
    with tf.GradientTape() as tape:
        # Both in one pass: the critic normalises each image by itself, so neighbours change nothing.
        values, _ = critic(tf.concat([real, fake], axis=0))
        real_values, fake_values = tf.split(values, 2)
        penalty = tf.constant(0.0)
        if weight:
            mixed = losses.interpolated(real, fake, seed)
            penalty = losses.gradient_penalty(lambda images: critic(images)[0], mixed, penalty_scale)
        loss = losses.critic_loss(real_values, fake_values, penalty, weight)
    norm = descend(optimizer, tape, loss, critic.trainable_variables)
    real_mean, fake_mean = tf.reduce_mean(real_values), tf.reduce_mean(fake_values)
    return {
        "loss_d": loss,
        "critic_real": real_mean,
        "critic_fake": fake_mean,
        "wasserstein": real_mean - fake_mean,
        "gradient_penalty": penalty,
        "gradient_norm_d": norm,
    }


def turns_of_critic(count: int, update: Callable[[tf.Tensor], dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """Calls `update` with the turn's number, `count` times in a row; returns what the last one did, `CRITIC_LOGS`."""
    return replicas.repeated(count, update, CRITIC_LOGS)


class WganGp(GanTraining):
    """One train step = `n_critic` critic updates, each on fresh images, then one generator update.

    `fit` on batches of n_critic * batch images (n_critic * B, H, W, 1) in [-1, 1].
    """

    prior = "normal"

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        n_critic: int,
        penalty: Penalty,
        **settings,
    ):
        """`settings`: see `GanTraining`."""
        super().__init__(generator, critic, name="wgan_gp", **settings)
        self.n_critic = n_critic
        self.penalty = penalty

    def _update_critic(self, real, step, turn):
        fake = self.generator(self.latent(tf.shape(real)[0], step, turn, GanDraw.LATENT), training=True)
        real = self.changed(real, step, turn, GanDraw.CHANGE_OF_REAL)
        fake = self.changed(fake, step, turn, GanDraw.CHANGE_OF_GENERATED)
        seed = key(self.seed, step, turn, GanDraw.MIXTURE)
        number = tf.cast(step, tf.int32) * self.n_critic + turn
        return update_critic(self.critic, self.optimizers["critic_optimizer"], real, fake, seed, number, self.penalty)

    def _update_generator(self, batch, step):
        z = self.latent(batch, step, self.n_critic, GanDraw.LATENT)
        with tf.GradientTape() as tape:
            fake = self.changed(self.generator(z, training=True), step, self.n_critic, GanDraw.CHANGE_OF_GENERATED)
            values, _ = self.critic(fake)
            loss = losses.generator_loss(values)
        norm = descend(self.optimizers["generator_optimizer"], tape, loss, self.generator.trainable_variables)
        return {"loss_g": loss, "gradient_norm_g": norm}

    def train_step(self, images):
        # Parted by a reshape: XLA cannot cut slices whose bounds it learns in the loop.
        parts = tf.reshape(images, (self.n_critic, -1, *images.shape[1:]))
        logs = turns_of_critic(self.n_critic, lambda turn: self._update_critic(parts[turn], self.step, turn))
        logs |= self._update_generator(tf.shape(parts)[1], self.step)
        self._count_step()
        return logs
