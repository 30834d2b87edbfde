"""Joint trainings of encoder and generator small enough to step in a moment."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.methods.adv_ae import AdversarialAutoencoderTraining
from fanogan_tf.methods.ae import AutoencoderTraining
from fanogan_tf.methods.ali import Ali, pair_discriminator
from fanogan_tf.networks.resnet import Encoder, Generator
from fanogan_tf.training.gan import Penalty
from fanogan_tf.training.optimization import Adam
from tests.helpers.tiny import SHAPE, SPEC


class WatchedEncoder(Encoder):
    """Remembers inputs, outputs, whether in training, and seeds."""

    def __init__(self, bound="tanh"):
        super().__init__(SHAPE, dim=2, latent_dim=3, bound=bound)
        self.seen = []
        self(tf.zeros((1, *SHAPE)))
        self.seen.clear()

    def call(self, images, training=False, seed=None):
        z = super().call(images, training=training, seed=seed)
        self.seen.append((tf.constant(images).numpy(), z.numpy(), training, None if seed is None else tuple(seed.numpy())))
        return z


class WatchedGenerator(Generator):
    """Remembers inputs, outputs and whether in training."""

    def __init__(self):
        super().__init__(SHAPE, dim=2)
        self.seen = []
        self(tf.zeros((1, 3)))
        self.seen.clear()

    def call(self, z, training=False):
        images = super().call(z, training=training)
        self.seen.append((tf.constant(z).numpy(), images.numpy(), training))
        return images


def _first_weights(precision: str):
    keras.utils.set_random_seed(0)
    return dataclasses.replace(SPEC, precision=precision)


def autoencoder(*, seed=0, rate=1e-3, encoder=None, generator=None, precision="none") -> AutoencoderTraining:
    spec = _first_weights(precision)
    model = AutoencoderTraining(encoder or spec.encoder(), generator or spec.generator(), seed=seed)
    model.compile(Adam(rate))
    return model


def adversarial(
    *, seed=0, rate=1e-3, n_critic=3, weight=0.3, penalty_weight=10.0, encoder=None, generator=None, precision="none"
) -> AdversarialAutoencoderTraining:
    spec = _first_weights(precision)
    model = AdversarialAutoencoderTraining(
        encoder or spec.encoder(),
        generator or spec.generator(),
        spec.critic(),
        n_critic=n_critic,
        penalty=Penalty(penalty_weight),
        adversarial_weight=weight,
        seed=seed,
    )
    model.compile(*(Adam(rate, beta_1=0.0, beta_2=0.9) for _ in range(2)))
    return model


def ali(*, seed=0, rate=1e-3, prior="normal", encoder=None, generator=None, precision="none") -> Ali:
    spec = dataclasses.replace(_first_weights(precision), bound="linear")
    networks = encoder or spec.encoder(), generator or spec.generator(), pair_discriminator(spec)
    model = Ali(*networks, latent_dim=3, seed=seed, prior=prior)
    model.compile(*(Adam(rate, beta_1=0.5) for _ in range(2)))
    return model


def vector(variables) -> np.ndarray:
    """Copies of all values, one after the other."""
    return np.concatenate([variable.numpy().ravel() for variable in variables])
