"""The latent space: its prior, its random numbers, and the bounds that keep an encoder inside it.

Random numbers are a function of (seed, step), so a checkpoint only has to save the step, on any number of devices. A bound keeps
the encoder's output in the part of the latent space that the generator was trained on (f-AnoGAN, section A.2).
"""

import tensorflow as tf

from fanogan_tf.distributed import replicas


def key(seed: int, *indices: int | tf.Tensor) -> tf.Tensor:
    """Derives a seed (2,) for tf.random.stateless_*, a different one for every combination of `seed` and `indices`."""
    result = tf.constant([seed, 0], tf.int32)
    for index in indices:
        result = tf.random.experimental.stateless_fold_in(result, tf.cast(index, tf.int32))
    return result


def draw(prior: str, shape: tuple[int, ...] | list, seed: tf.Tensor) -> tf.Tensor:
    """Draws latent vectors, float32, as a pure function of `seed` (2,).

    Args:
      prior: `normal`, z ~ N(0, I) (f-AnoGAN's WGAN), or `uniform`, each coordinate in [-1, 1] (DCGAN, AnoGAN).
      shape: of the result; the last axis holds the latent vector.
    """
    if prior == "uniform":
        return replicas.drawn(tf.random.stateless_uniform, shape, seed, -1.0, 1.0)
    return replicas.drawn(tf.random.stateless_normal, shape, seed)


def bounded(bound: str, z: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
    """Bounds latent vectors, coordinate by coordinate.

    Args:
      bound: `linear` (no bound), `tanh` (the paper's: one standard deviation of z to either side), `tanh_3` and `tanh_0.5` (tanh
        times that number), `clip_R` (clipped to [-R, R]), `stochastic_clip` (coordinates outside [-1, 1] are redrawn uniformly
        inside it, Lipton and Tripathi 2017, as the paper says; the authors' code redraws those beyond 3 from N(0, 1)).
      z: (B, latent_dim).
      seed: int (2,), for `stochastic_clip` in training. Without it, as in scoring, that bound clips to [-1, 1], so that a score
        is not random.

    Raises:
      ValueError: no such bound.
    """
    kind, _, number = bound.partition("_")
    if bound == "linear":
        return z
    if kind == "tanh":
        return tf.tanh(z) * float(number or 1.0)
    if kind == "clip":
        return tf.clip_by_value(z, -float(number), float(number))
    if bound == "stochastic_clip":
        return tf.clip_by_value(z, -1.0, 1.0) if seed is None else stochastic_clip(z, seed)
    raise ValueError(f"unknown bound {bound!r}")


def stochastic_clip(z: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Redraws the coordinates outside [-1, 1] from U[-1, 1]."""
    redrawn = replicas.drawn(tf.random.stateless_uniform, [tf.shape(z)[0], *z.shape[1:]], seed, -1.0, 1.0, dtype=z.dtype)
    return tf.where(tf.abs(z) > 1.0, redrawn, z)
