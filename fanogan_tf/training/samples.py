"""The sheets that show how far training has come."""

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import sheets
from fanogan_tf.networks import latent
from fanogan_tf.training.monitoring import Sheet
from fanogan_tf.training.randomness import key

_STEPS = 10


def generated(generator: keras.Model, latent_dim: int, seed: int, prior: str = "normal") -> Sheet:
    """64 generated images, of the same z every time; `prior`: see `latent.draw`."""
    z = latent.draw(prior, (64, latent_dim), key(seed, 0))
    return lambda: sheets.tile(generator(z, training=False).numpy(), columns=8)


def interpolated(generator: keras.Model, latent_dim: int, seed: int, prior: str = "normal") -> Sheet:
    """Eight rows, each from one random z straight to another (f-AnoGAN, figure 5, upper half)."""
    ends = latent.draw(prior, (2, 8, latent_dim), key(seed, 1))

    def draw() -> np.ndarray:
        images = generator(between(ends[0], ends[1]), training=False)
        return sheets.tile(images.numpy(), columns=_STEPS)

    return draw


def interpolated_encodings(encoder: keras.Model, generator: keras.Model, images: np.ndarray) -> Sheet:
    """Rows from one encoded image to another, the two real images at the ends (f-AnoGAN, figure 5, lower half).

    `images`: (2 * rows, H, W, 1).
    """
    first, last = images[: len(images) // 2], images[len(images) // 2 :]

    def draw() -> np.ndarray:
        z = between(encoder(first, training=False), encoder(last, training=False))
        steps = generator(z, training=False).numpy().reshape(len(first), _STEPS, *images.shape[1:])
        return sheets.tile(
            np.concatenate([first[:, None], steps, last[:, None]], axis=1).reshape(-1, *images.shape[1:]), _STEPS + 2
        )

    return draw


def restored(encoder: keras.Model, generator: keras.Model, images: np.ndarray) -> Sheet:
    """Three rows: images, what generator and encoder make of them, and the pixel map (black: no difference)."""

    def draw() -> np.ndarray:
        outputs = generator(encoder(images, training=False), training=False).numpy()
        return sheets.tile(np.concatenate([images, outputs, np.abs(images - outputs) - 1.0]), columns=len(images))

    return draw


def between(first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Straight lines in z: two (rows, d) -> (rows * 10, d), row by row."""
    share = tf.linspace(0.0, 1.0, _STEPS)[None, :, None]
    lines = first[:, None] * (1.0 - share) + last[:, None] * share
    return tf.reshape(lines, (-1, first.shape[-1]))
