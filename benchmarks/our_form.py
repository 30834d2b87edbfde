"""The training step of `fanogan_tf` itself, in the shape that the yardsticks have."""

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.training.wgan_gp import WganGp

N_CRITIC = 5


class OurForm:
    """WGAN-GP training on one fixed batch of random images; every update returns its loss when its work is done."""

    def __init__(self, side: int, dim: int, latent_dim: int, batch: int, *, precision: str = "none", seed: int = 0):
        keras.utils.set_random_seed(seed)
        spec = NetworkSpec((side, side, 1), dim, latent_dim, precision=precision)
        self.model = WganGp(
            spec.generator(), spec.critic(), latent_dim=latent_dim, n_critic=N_CRITIC, penalty_weight=10.0, seed=seed
        )
        self.model.compile(*(keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9) for _ in range(2)))
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
        """Five critic updates and one generator update, as `fit` runs them."""
        return float(self._iteration(self.images)["loss_g"])
