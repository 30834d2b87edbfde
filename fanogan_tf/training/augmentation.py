"""Differentiable augmentation of what the critic sees, for sets of a few hundred images (Zhao et al., NeurIPS 2020).

Real and generated images are changed alike, and the gradient passes to the generator, so that it never learns to make changed
images: T(x) and T(G(z)) in place of x and G(z) in both losses (their eq. 2 and 3). Their
three kinds of change, but for saturation, which grey images do not have.
"""

from collections.abc import Callable

import tensorflow as tf

from fanogan_tf.distributed import replicas

# Shares of a side: how far an image is moved, and how large the square is that is cut out. Both as in the paper.
MOVED, CUT_OUT = 1 / 8, 1 / 2


def augmented(images: tf.Tensor, changes: tuple[str, ...], seed: tf.Tensor) -> tf.Tensor:
    """Changes each image at random.

    Args:
      images: (B, H, W, 1) in [-1, 1].
      changes: names of CHANGES, in their order; none leaves the images as they are.
      seed: int (2,) of what is drawn.

    Returns:
      the same shape; brightness and contrast may take grey levels out of [-1, 1], as the paper's do.
    """
    for number, name in enumerate(CHANGES):
        if name in changes:
            images = CHANGES[name](images, key_of(seed, number))
    return images


def key_of(seed: tf.Tensor, *indices: int) -> tf.Tensor:
    """Derives a seed (2,) of `seed` (2,), another one for every combination of indices."""
    for index in indices:
        seed = tf.random.experimental.stateless_fold_in(seed, index)
    return seed


def _uniform(images: tf.Tensor, low: float, high: float, seed: tf.Tensor) -> tf.Tensor:
    """One number per image: (B, 1, 1, 1)."""
    return replicas.drawn(tf.random.stateless_uniform, [tf.shape(images)[0], 1, 1, 1], seed, low, high)


def colour(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Adds a brightness from U[-0.5, 0.5], and multiplies the contrast around the image's mean by a number from U[0.5, 1.5]."""
    images = images + _uniform(images, -0.5, 0.5, key_of(seed, 0))
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + _uniform(images, 0.5, 1.5, key_of(seed, 1)) * (images - mean)


def translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Moves each image by whole pixels, up to an eighth of its side either way; what comes in from outside is 0."""
    rows, columns = (_shifted(side, images, key_of(seed, axis)) for axis, side in enumerate(images.shape[1:3]))
    # One row and one column of zeros to point to, for all that comes from outside.
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    moved = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)


def _shifted(side: int, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Where in the padded image each row or column comes from: (B, side) int32."""
    most = int(side * MOVED + 0.5)
    by = tf.cast(tf.floor(_uniform(images, -most, most + 1.0, seed)[:, 0, 0]), tf.int32)
    return tf.clip_by_value(tf.range(side)[None] + by + 1, 0, side + 1)


def cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Sets a square of half the image's side, whose centre may lie anywhere, to 0."""
    inside = []
    for axis, side in enumerate(images.shape[1:3]):
        length = int(side * CUT_OUT + 0.5)
        first = tf.floor(_uniform(images, 0.0, side + (1 - length % 2), key_of(seed, axis))) - length // 2
        along = tf.reshape(tf.range(side, dtype=tf.float32), [1, -1, 1, 1] if axis == 0 else [1, 1, -1, 1])
        inside.append((along >= first) & (along < first + length))
    return tf.where(inside[0] & inside[1], 0.0, images)


CHANGES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {"colour": colour, "translation": translation, "cutout": cutout}
