"""GANomaly's losses as pure functions (Akcay et al. 2018, section 3.3, equations 1 to 3).

The papers write norms; the authors' code, which the weights 1 : 50 : 1 are made for, takes means over all values of an image, and
of squares where the norm is of second order. So it is here: means over pixels, features or coordinates, then over the batch.
"""

import dataclasses

import tensorflow as tf

from fanogan_tf.training.logit_losses import discriminator_loss
from fanogan_tf.training.losses import mean_square


@dataclasses.dataclass(frozen=True)
class Weights:
    """What the three terms of the loss are multiplied with."""

    adversarial: float = 1.0
    contextual: float = 50.0
    encoding: float = 1.0


def adversarial(features: tf.Tensor, restored_features: tf.Tensor) -> tf.Tensor:
    """L_adv, feature matching: the mean over the batch of 1/n_d ||f(x) - f(x')||^2, of features (B, n_d)."""
    return tf.reduce_mean(mean_square(features - restored_features))


def contextual(images: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """L_con: the mean over the batch of 1/n |x - x'|_1, of images (B, H, W, C)."""
    return tf.reduce_mean(tf.abs(images - restored))


def encoding(latent: tf.Tensor, restored_latent: tf.Tensor) -> tf.Tensor:
    """L_enc: the mean over the batch of 1/d ||z - z'||^2, of encodings (B, d)."""
    return tf.reduce_mean(mean_square(latent - restored_latent))


def discriminator(real: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """Half of mean -log D(x) + mean -log(1 - D(x')), of logits (B,); log 2 while D knows nothing."""
    return 0.5 * discriminator_loss(real, restored)
