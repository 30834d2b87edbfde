"""What latent vectors are drawn from: each generator's own distribution."""

import tensorflow as tf

from fanogan_tf.networks import replicas


def draw(prior: str, shape: tuple[int, ...] | list, seed: tf.Tensor) -> tf.Tensor:
    """Latent vectors, as a pure function of `seed` (2,), float32.

    Args:
      prior: `normal`, z ~ N(0, I) (f-AnoGAN's WGAN), or `uniform`, each coordinate in [-1, 1] (DCGAN, AnoGAN).
      shape: of the result; the last axis is the latent vector's.
    """
    if prior == "uniform":
        return replicas.drawn(tf.random.stateless_uniform, shape, seed, -1.0, 1.0)
    return replicas.drawn(tf.random.stateless_normal, shape, seed)
