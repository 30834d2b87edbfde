"""The losses of GANs whose discriminator gives the logit of "this image is real" (Goodfellow et al. 2014), as pure functions."""

import tensorflow as tf


def against_real(logits: tf.Tensor) -> tf.Tensor:
    """-log D, the cross entropy of D = sigmoid(logits) against "real": same shape, at least 0; exact where D rounds to 1."""
    return tf.nn.softplus(-logits)


def against_fake(logits: tf.Tensor) -> tf.Tensor:
    """-log(1 - D), the cross entropy against "generated"."""
    return tf.nn.softplus(logits)


def discriminator_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """mean -log D(x) + mean -log(1 - D(G(z))), of logits (B,); 2 log 2 while D knows nothing."""
    return tf.reduce_mean(against_real(real)) + tf.reduce_mean(against_fake(fake))


def non_saturating_loss(fake: tf.Tensor) -> tf.Tensor:
    """The generator's: mean -log D(G(z)). Its gradient does not vanish while D tells generated images easily."""
    return tf.reduce_mean(against_real(fake))
