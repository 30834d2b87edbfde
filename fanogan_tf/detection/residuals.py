"""Score terms that compare an image with its restored one, beside A_R and A_D."""

import numpy as np
import tensorflow as tf

from fanogan_tf.detection.normality import Hidden

WORST = 0.1  # Share of positions, those of the largest residual.
WINDOW = 15


def block_residuals(hidden: Hidden, restored: Hidden) -> tuple[tf.Tensor, tf.Tensor]:
    """The mean square difference of each of the critic's maps: over all positions, and over the tenth where it is largest.

    The f-AnoGAN paper compares "an intermediate layer"; RaPP (Kim et al. 2020) compares all hidden ones.

    Returns:
      two (B, L), one column per map.
    """
    means, worst = [], []
    for one, other in zip(hidden.maps, restored.maps, strict=True):
        at_places = tf.reduce_mean(tf.square(one - other), axis=-1)
        flat = tf.reshape(at_places, (tf.shape(at_places)[0], int(np.prod(at_places.shape[1:]))))
        count = max(1, round(WORST * flat.shape[1]))
        means.append(tf.reduce_mean(flat, axis=1))
        worst.append(tf.reduce_mean(tf.math.top_k(flat, count, sorted=False).values, axis=1))
    return tf.stack(means, axis=1), tf.stack(worst, axis=1)


def residual_map(hidden: Hidden, restored: Hidden, scales: np.ndarray, size: tuple[int, int]) -> tf.Tensor:
    """The blocks' mean square differences at each place, each divided by its scale, enlarged and averaged: (B, H, W, 1).

    scales: (L,) each block's mean over held-out normals.
    """
    parts = [
        tf.image.resize(tf.reduce_mean(tf.square(one - other), axis=-1, keepdims=True), size) / scale
        for one, other, scale in zip(hidden.maps, restored.maps, scales, strict=True)
    ]
    return tf.add_n(parts) / len(parts)


def local_correlation(images: tf.Tensor, restored: tf.Tensor, window: int = WINDOW) -> tf.Tensor:
    """1 - the mean correlation of windows of both images: (B,) in [0, 2]. Brightness and contrast alone make no difference.

    Windows without contrast in either image count as correlated by the share that a small constant, .01 of the range squared,
    has in their variances; as the constants of SSIM (Wang et al. 2004) do.
    """
    size = [min(window, images.shape[1]), min(window, images.shape[2])]

    def mean(values: tf.Tensor) -> tf.Tensor:
        return tf.nn.avg_pool2d(values, size, 1, "VALID")

    def variance(values: tf.Tensor) -> tf.Tensor:
        centred = values - tf.reduce_mean(values, axis=[1, 2, 3], keepdims=True)
        return tf.nn.relu(mean(tf.square(centred)) - tf.square(mean(centred)))

    constant = 0.02**2
    deviation_x, deviation_y = tf.sqrt(variance(images)), tf.sqrt(variance(restored))
    # 1 - (cov + c) / (dx dy + c), without the difference of nearly equal numbers that this is where images are alike:
    # var(x - y) = dx^2 + dy^2 - 2 cov.
    apart = (variance(images - restored) - tf.square(deviation_x - deviation_y)) / 2.0
    uncorrelated = apart / (deviation_x * deviation_y + constant)
    return tf.reduce_mean(tf.clip_by_value(uncorrelated, 0.0, 2.0), axis=[1, 2, 3])
