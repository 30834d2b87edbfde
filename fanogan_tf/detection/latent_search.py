"""The latent search: from images back to latent vectors by gradient descent, as AnoGAN has it.

Each image is searched for as if it were alone: with its own optimizer state, its own end, and random numbers that do not know its
place in the batch.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from fanogan_tf.networks.latent import key
from fanogan_tf.random_streams import SearchDraw

# Adam's (Kingma and Ba 2014, algorithm 1).
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

# Going back starts from this instead of 1, and the gradient is divided by it: float16 loses what a mean over some 64 x 64 pixels
# leaves for each of them. A power of two, so that in float32 it changes nothing.
_GRADIENT_SCALE = 2.0**7


class Mapped(NamedTuple):
    """z (B, latent_dim): the best that was seen of each image. loss (B,): its loss. steps (B,) int32: updates made."""

    z: tf.Tensor
    loss: tf.Tensor
    steps: tf.Tensor


def random_start(count: tf.Tensor, latent_dim: int, seed: int) -> tf.Tensor:
    """One z ~ U[-1, 1], the same for every image: (count, latent_dim). A start of its own would make a score a roll of dice."""
    z = tf.random.stateless_uniform([latent_dim], key(seed, SearchDraw.START), -1.0, 1.0)
    return tf.broadcast_to(z, [count, latent_dim])


def map_to_latent(
    generator: Callable[..., tf.Tensor],
    loss: Callable[[tf.Tensor], tf.Tensor],
    z0: tf.Tensor,
    *,
    steps: int,
    learning_rate: float,
    seed: int = 0,
    clipped: bool = True,
    patience: int = 0,
    tolerance: float = 1e-3,
) -> Mapped:
    """Looks for the z whose G(z) has the least loss, for a whole batch at once; a graph's loop, and nothing but z changes.

    By Adam: the one optimizer that AnoGAN's paper names, without saying whether it is for z as well, and its step size means
    the same for a loss of means as for one of sums, which plain descent's does not. The paper takes the last z; here it is the
    best one, because the redrawing below can throw a good z back.

    Stochastic clipping (Lipton and Tripathi 2017): a coordinate that an update takes out of [-1, 1] is redrawn from U[-1, 1]. It
    also loses its momentum, which would take it straight out again.

    Args:
      generator: G, called as generator(z, training=False).
      loss: from the batch G(z) to one loss per image, (B,), at least 0. What it compares with, such as the images and their
        features, it holds itself: computed once, not in every step.
      z0: where to start, (B, latent_dim); with `clipped`, cut off at +-1.
      steps: updates, f-AnoGAN's paper 300, AnoGAN's 500.
      learning_rate: about how far a coordinate goes in one update.
      seed: of the redrawing.
      clipped: whether to clip.
      patience: an image is done after so many updates that did not together lower its loss by the share `tolerance`; the others
        go on. 0: never.
    """
    z0 = tf.clip_by_value(z0, -1.0, 1.0) if clipped else tf.convert_to_tensor(z0)
    patience = patience or steps + 1
    nothing = tf.zeros_like(z0[:, 0])
    count = tf.zeros_like(nothing, tf.int32)

    def unfinished(step: tf.Tensor, *state: tf.Tensor) -> tf.Tensor:
        *_, mark, _ = state
        return (step < steps) & tf.reduce_any(step - mark[1] < patience)

    def update(step: tf.Tensor, *state: tf.Tensor) -> tuple:
        z, mean, square, best, mark, made = state
        losses, gradient = _loss_and_gradient(generator, loss, z)
        best = _better((z, losses), best)
        improved = losses < (1.0 - tolerance) * mark[0]
        mark = tf.where(improved, losses, mark[0]), tf.where(improved, step, mark[1])
        going = step - mark[1] < patience

        number = tf.cast(step + 1, z.dtype)
        mean = BETA_1 * mean + (1.0 - BETA_1) * gradient
        square = BETA_2 * square + (1.0 - BETA_2) * tf.square(gradient)
        direction = mean / (1.0 - BETA_1**number)
        size = tf.sqrt(square / (1.0 - BETA_2**number)) + EPSILON
        moved = z - learning_rate * direction / size
        if clipped:
            redrawn = tf.random.stateless_uniform(tf.shape(z)[1:], key(seed, SearchDraw.REDRAWN, step), -1.0, 1.0)
            outside = tf.abs(moved) > 1.0
            moved = tf.where(outside, redrawn, moved)
            mean = tf.where(outside, 0.0, mean)
        return step + 1, tf.where(going[:, None], moved, z), mean, square, best, mark, made + tf.cast(going, tf.int32)

    never = nothing + float("inf")
    start = 0, z0, tf.zeros_like(z0), tf.zeros_like(z0), (z0, never), (never, count), count
    _, z, _, _, best, _, made = tf.while_loop(unfinished, update, start, parallel_iterations=1)
    z, losses = _better((z, loss(generator(z, training=False))), best)
    return Mapped(z, losses, made)


def _loss_and_gradient(generator: Callable, loss: Callable, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # In inference no image's loss depends on another's z: the gradient of all losses is each one's own.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(z)
        losses = loss(generator(z, training=False))
    scale = tf.fill(tf.shape(losses), _GRADIENT_SCALE)
    return losses, tape.gradient(losses, z, output_gradients=scale) / _GRADIENT_SCALE


def _better(one: tuple[tf.Tensor, tf.Tensor], other: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Of two (z, loss), image by image that of the lower loss; the other one where they are equal, or one's is NaN."""
    lower = one[1] < other[1]
    return tf.where(lower[:, None], one[0], other[0]), tf.where(lower, one[1], other[1])
