"""The latent search: from images back to latent vectors by gradient descent, as AnoGAN has it.

Each image is searched for as if it were alone: with its own optimizer state, its own end, and random numbers that do not know its
place in the batch. Two forms. `stochastic` and a random start are the papers': coordinates that leave [-1, 1] are thrown back
somewhere inside. With a prior of N(0, I) a third of them want to be outside, walk back for ever, and the search never settles. So
the default is `projected`: they stop at the border, the steps shrink, and the start is the nearest of some samples.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from fanogan_tf.networks import latent
from fanogan_tf.networks.latent import key
from fanogan_tf.random_streams import SearchDraw

# Adam's (Kingma and Ba 2014, algorithm 1).
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

# Going back starts from this instead of 1, and the gradient is divided by it: float16 loses what a mean over some 64 x 64 pixels
# leaves for each of them. A power of two, so that in float32 it changes nothing.
_GRADIENT_SCALE = 2.0**7


# What a detector that searches has among its SETTINGS; and what those that earlier versions wrote had, who had no choice.
SETTINGS = ("steps", "learning_rate", "patience", "seed", "clipping", "start_from")
EARLIER = {"clipping": "stochastic", "start_from": "random"}

# The last step of a projected search, as a share of the first.
LAST_STEP = 0.02

# Samples among which a start is looked for, and how many are generated at once.
SAMPLES, SAMPLES_AT_ONCE = 512, 64


class Mapped(NamedTuple):
    """z (B, latent_dim): the best that was seen of each image. loss (B,): its loss. steps (B,) int32: updates made."""

    z: tf.Tensor
    loss: tf.Tensor
    steps: tf.Tensor


def random_start(count: tf.Tensor, latent_dim: int, seed: int) -> tf.Tensor:
    """One z ~ U[-1, 1], the same for every image: (count, latent_dim). A start of its own would make a score a roll of dice."""
    z = tf.random.stateless_uniform([latent_dim], key(seed, SearchDraw.START), -1.0, 1.0)
    return tf.broadcast_to(z, [count, latent_dim])


def nearest_start(generator: Callable[..., tf.Tensor], images: tf.Tensor, latent_dim: int, prior: str, seed: int) -> tf.Tensor:
    """Of 512 fixed z of the prior, cut off at +-1, the one whose G(z) is least far from each image in pixels: (B, latent_dim).

    Args:
      generator: G, called as generator(z, training=False).
      images: (B, H, W, 1).
      prior: see `latent.draw`.
      seed: of the samples, which are the same for all images.
    """
    z = tf.clip_by_value(latent.draw(prior, [SAMPLES, latent_dim], key(seed, SearchDraw.SAMPLES)), -1.0, 1.0)
    parts = tf.reshape(z, [SAMPLES // SAMPLES_AT_ONCE, SAMPLES_AT_ONCE, latent_dim])
    pixels = tf.map_fn(lambda part: generator(part, training=False), parts, fn_output_signature=tf.float32)
    samples = tf.reshape(pixels, [SAMPLES, -1])
    rows = tf.reshape(images, [tf.shape(images)[0], samples.shape[1] or images.shape[1] * images.shape[2]])
    distance = tf.reduce_sum(tf.square(samples), axis=1) - 2.0 * tf.matmul(rows, samples, transpose_b=True)
    return tf.gather(z, tf.argmin(distance, axis=1))


def search(detector: Any, images: tf.Tensor, loss: Callable[[tf.Tensor], tf.Tensor], start: tf.Tensor | None = None) -> Mapped:
    """`map_to_latent` by the SETTINGS of a detector that has a generator; `start`: another z to start from, (B, latent_dim)."""
    if start is None and detector.start_from == "nearest":
        start = nearest_start(detector.generator, images, detector.latent_dim, detector.spec.prior, detector.seed)
    elif start is None:
        start = random_start(tf.shape(images)[0], detector.latent_dim, detector.seed)
    return map_to_latent(
        detector.generator,
        loss,
        start,
        steps=detector.steps,
        learning_rate=detector.learning_rate,
        seed=detector.seed,
        clipping=detector.clipping,
        patience=detector.patience,
    )


def map_to_latent(
    generator: Callable[..., tf.Tensor],
    loss: Callable[[tf.Tensor], tf.Tensor],
    z0: tf.Tensor,
    *,
    steps: int,
    learning_rate: float,
    seed: int = 0,
    clipping: str = "stochastic",
    patience: int = 0,
    tolerance: float = 1e-3,
) -> Mapped:
    """Looks for the z whose G(z) has the least loss, for a whole batch at once; a graph's loop, and nothing but z changes.

    By Adam: the one optimizer that AnoGAN's paper names, without saying whether it is for z as well, and its step size means
    the same for a loss of means as for one of sums, which plain descent's does not. The paper takes the last z; here it is the
    best one, because the redrawing below can throw a good z back.

    Stochastic clipping (Lipton and Tripathi 2017): a coordinate that an update takes out of [-1, 1] is redrawn from U[-1, 1]. It
    also loses its momentum, which would take it straight out again. Projected: it stops at the border, and the step size falls
    along a cosine to a fiftieth.

    Args:
      generator: G, called as generator(z, training=False).
      loss: from the batch G(z) to one loss per image, (B,), at least 0. What it compares with, such as the images and their
        features, it holds itself: computed once, not in every step.
      z0: where to start, (B, latent_dim); cut off at +-1 unless `clipping` is `none`.
      steps: updates, f-AnoGAN's paper 300, AnoGAN's 500.
      learning_rate: about how far a coordinate goes in one update, the first one where the steps shrink.
      seed: of the redrawing.
      clipping: `stochastic`, `projected` or `none`.
      patience: an image is done after so many updates that did not together lower its loss by the share `tolerance`; the others
        go on. 0: never.
    """
    z0 = tf.convert_to_tensor(z0) if clipping == "none" else tf.clip_by_value(z0, -1.0, 1.0)
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
        moved = z - _step_size(step, steps, learning_rate, clipping) * direction / size
        if clipping == "projected":
            moved = tf.clip_by_value(moved, -1.0, 1.0)
        if clipping == "stochastic":
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


def _step_size(step: tf.Tensor, steps: int, first: float, clipping: str) -> tf.Tensor | float:
    if clipping != "projected":
        return first
    way = tf.cast(step, tf.float32) / max(steps - 1, 1)
    return first * (LAST_STEP + (1.0 - LAST_STEP) * (1.0 + tf.cos(math.pi * way)) / 2.0)


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
