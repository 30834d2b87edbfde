"""The training step of `fanogan_tf` itself, with the interface of the yardsticks."""

import numpy as np
import tensorflow as tf
import trainers

from fanogan_tf.options import Options

N_CRITIC = Options().n_critic


class OurForm:
    """WGAN-GP training on one fixed batch of random images; every update returns its loss when its work is done."""

    def __init__(self, side: int, dim: int, latent_dim: int, batch: int, *, precision: str = "none", seed: int = 0):
        sizes = {"image_size": str(side), "dim": dim, "latent_dim": latent_dim, "batch_size": batch}
        self.model = trainers.gan(Options(**sizes, mixed_precision=precision, seed=seed))
        real = np.random.default_rng(seed).uniform(-1, 1, (N_CRITIC * batch, side, side, 1)).astype(np.float32)
        self.images = tf.constant(real)
        self._critic = tf.function(lambda real: self.model._update_critic(real, self.model.step, 0), autograph=False)
        self._generator = tf.function(lambda: self.model._update_generator(batch, self.model.step), autograph=False)
        self._iteration = tf.function(self.model.train_step)
        self.batch = batch

    def critic_update(self) -> float:
        return float(self._critic(self.images[: self.batch])["loss_d"])

    def generator_update(self) -> float:
        return float(self._generator()["loss_g"])

    def iteration(self) -> float:
        """Makes five critic updates and one generator update, as `fit` runs them."""
        return float(self._iteration(self.images)["loss_g"])
