"""The anomaly score and the pixel map, as pure functions (f-AnoGAN, section 2.3).

The residuals are `losses.mean_square` of differences: means over pixels, features or coordinates, never sums, so that a score
does not grow with the image.
"""

import tensorflow as tf


def anomaly_score(image_residual: tf.Tensor, feature_residual: tf.Tensor, kappa: float) -> tf.Tensor:
    """A = A_R + kappa A_D (eq. 8): (B,)."""
    return image_residual + kappa * feature_residual


def pixel_map(images: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """|x - G(E(x))| (eq. 9): (B, H, W, 1), in [0, 2]."""
    return tf.abs(images - restored)
