"""Losses as pure functions.

Those of f-AnoGAN's two phases (Schlegl et al. 2019, sections 2.1 and 2.2), and those of GANs whose discriminator gives the logit
of "this image is real" (Goodfellow et al. 2014).
"""

from collections.abc import Callable

import tensorflow as tf

from fanogan_tf.distributed import replicas


def mean_square(difference: tf.Tensor) -> tf.Tensor:
    """1/n ||difference||^2 per image: (B, ...) -> (B,)."""
    return tf.reduce_mean(tf.square(difference), axis=list(range(1, difference.shape.rank)))


def interpolated(real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """X + a (G(z) - x) with one a ~ U[0, 1] per image: (B, H, W, C)."""
    alpha = replicas.drawn(tf.random.stateless_uniform, [tf.shape(real)[0], 1, 1, 1], seed, dtype=real.dtype)
    return real + alpha * (fake - real)


def gradient_penalty(critic: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, scale: float = 1.0) -> tf.Tensor:
    """Mean over images of (||grad_x D(x)||_2 - 1)^2, the norm over all pixels of an image (Gulrajani et al. 2017, eq. 3).

    Args:
      critic: (B, H, W, C) -> (B,).
      images: where the gradient is taken, usually `interpolated`.
      scale: what the critic's values are multiplied with on the way to the gradient, and the gradient divided by; a power of two
        changes nothing but the range of numbers that a critic of low precision meets in between.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        values = scale * critic(images)
    gradient = tape.gradient(values, images) / scale
    square = tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3])
    # The square root has no gradient at 0; the small constant keeps a vanished gradient from turning into NaN.
    return tf.reduce_mean(tf.square(tf.sqrt(square + 1e-12) - 1.0))


def critic_loss(real: tf.Tensor, fake: tf.Tensor, penalty: tf.Tensor, weight: float) -> tf.Tensor:
    """Mean D(G(z)) - mean D(x) + weight * penalty. Negative while the critic tells real from generated."""
    return tf.reduce_mean(fake) - tf.reduce_mean(real) + weight * penalty


def generator_loss(fake: tf.Tensor) -> tf.Tensor:
    """-mean D(G(z))."""
    return -tf.reduce_mean(fake)


# Weights of (izi, feature, ziz) in each encoder loss; None leaves the term out. "kappa" stands for the option's value.
ENCODER_LOSSES: dict[str, dict[str, float | str]] = {
    "izi_f": {"izi": 1.0, "feature": "kappa"},
    "izi": {"izi": 1.0},
    "ziz": {"ziz": 1.0},
    "izi_ziz": {"izi": 1.0, "ziz": 0.1},
}


def encoder_weights(name: str, kappa: float) -> dict[str, float]:
    """Which terms the encoder loss `name` has, and their weights (section 2.2, eq. 1 to 3).

    izi_ziz and its weights are those of the TensorFlow re-implementation on MNIST. That compares E(x) with E(G(E(x))) by an
    L1-like norm; here ziz is the paper's, of a z drawn from the prior, squared.
    """
    return {term: float(kappa if weight == "kappa" else weight) for term, weight in ENCODER_LOSSES[name].items()}


def against_real(logits: tf.Tensor) -> tf.Tensor:
    """-log D, the cross entropy of D = sigmoid(logits) against "real": same shape, at least 0; exact where D rounds to 1."""
    return tf.nn.softplus(-logits)


def against_fake(logits: tf.Tensor) -> tf.Tensor:
    """-log(1 - D), the cross entropy against "generated"."""
    return tf.nn.softplus(logits)


def discriminator_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean -log D(x) + mean -log(1 - D(G(z))), of logits (B,); 2 log 2 while D knows nothing."""
    return tf.reduce_mean(against_real(real)) + tf.reduce_mean(against_fake(fake))


def non_saturating_loss(fake: tf.Tensor) -> tf.Tensor:
    """The generator's: mean -log D(G(z)). Its gradient does not vanish while D tells generated images easily."""
    return tf.reduce_mean(against_real(fake))
