"""Unbiased estimates of how far restored images are from clean ones that nobody has seen, from noisy ones alone.

Stein's unbiased risk estimate (SURE, Stein 1981) for Gaussian noise, with the divergence by Monte Carlo (Ramani, Blu and Unser
2008), and the one for mixed Poisson-Gaussian noise (PURE, Le Montagner, Angelini and Olivo-Marin 2014). Here of an organ's pixels
only: the rest of the target is known, black and without noise.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.optimize import nnls

BLACK = -1.0
# How far the images are moved to see how the restored ones follow: in grey levels, of which there are 2 from black to white.
STEP = 1e-2
# The third moment of the draws by which curvature is seen.
_SKEWNESS = 1.0

Restore = Callable[[tf.Tensor], tf.Tensor]


def cut_out(images: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
    """The images (B, H, W, 1) with all but their regions, 1 and 0, black."""
    return regions * images + (1.0 - regions) * BLACK


def squared_error(restored: tf.Tensor, images: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
    """1/n ||restored - cut out||^2 per image: (B,)."""
    return _mean(tf.square(restored - cut_out(images, regions)))


def gaussian(
    restore: Restore, restored: tf.Tensor, images: tf.Tensor, regions: tf.Tensor, sigma: float, probe: tf.Tensor
) -> tf.Tensor:
    """SURE of 1/n ||restored - clean, cut out||^2, with noise N(0, sigma^2): (B,). Its mean over the noise is true.

    ||h(x) - y||^2 - sigma^2 |m| + 2 sigma^2 b m . (h(x + t b m) - h(x)) / t, over n pixels, of y = x cut out by m: the chest
    X-ray thesis's eq. 3.23. Its eq. 4.4 drops the 1/t of that, and so most of the divergence.

    Args:
      restore, restored: h, and h(images), (B, H, W, 1).
      images, regions: x and m, (B, H, W, 1).
      sigma: in the images' grey levels.
      probe: b, (B, H, W, 1), drawn from N(0, 1).
    """
    moved = (restore(images + STEP * probe * regions) - restored) / STEP
    return squared_error(restored, images, regions) + sigma**2 * _mean(regions * (2.0 * probe * moved - 1.0))


def poisson_gaussian(
    restore: Restore,
    restored: tf.Tensor,
    images: tf.Tensor,
    regions: tf.Tensor,
    sigma: float,
    gain: float,
    probe: tf.Tensor,
    skewed: tf.Tensor,
) -> tf.Tensor:
    """PURE of the same for noise of variance gain (x + 1) + sigma^2: (B,).

    x + 1 = gain Poisson((clean + 1) / gain) + N(0, sigma^2), so `gain` is what one photon adds to a grey level. h at one photon
    less in a pixel is taken to second order in its gain (Le Montagner et al. 2014, section III).

    Args:
      sigma, gain: in the images' grey levels.
      skewed: (B, H, W, 1), of `skewed_draw`. The rest: see `gaussian`.
    """
    variance = gain * (images - BLACK) + sigma**2
    moved = (restore(images + STEP * probe * regions) - restored) / STEP
    there, back = (restore(images + sign * STEP * skewed * regions) for sign in (1.0, -1.0))
    curved = (there - 2.0 * restored + back) / (STEP**2 * _SKEWNESS)
    correction = regions * (variance * (2.0 * probe * moved - 1.0) - 2.0 * sigma**2 * gain * skewed * curved)
    return squared_error(restored, images, regions) + _mean(correction)


def skewed_draw(uniform: tf.Tensor) -> tf.Tensor:
    """Numbers of mean 0, variance 1 and third moment 1 of as many from U[0, 1): each is one of two values."""
    share = 0.5 + _SKEWNESS / 2.0 / np.sqrt(_SKEWNESS**2 + 4.0)
    low, high = -np.sqrt((1.0 - share) / share), np.sqrt(share / (1.0 - share))
    return tf.where(uniform < share, np.float32(low), np.float32(high))


def _mean(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(values, axis=[1, 2, 3])


# Of a normal distribution, the median distance from 0 in standard deviations.
_MEDIAN_DISTANCE = 0.6745
# Ranges of grey level in which the noise is looked at apart.
_RANGES = 16


def gaussian_noise(images: np.ndarray, regions: np.ndarray | None = None) -> float:
    """Estimates the standard deviation of white noise in images (N, H, W, 1).

    From the diagonal differences of 2x2 pixels, (a - b - c + d) / 2, in which smooth structure vanishes and white noise keeps its
    standard deviation; by their median, so that edges count for little (Donoho and Johnstone 1994).

    Args:
      regions: the same shape; only squares that lie inside count. Where none does, the estimate is 0.
    """
    _, difference = _squares(images, regions)
    return float(np.median(difference)) / _MEDIAN_DISTANCE if len(difference) else 0.0


def mixed_noise(images: np.ndarray, regions: np.ndarray | None = None) -> tuple[float, float]:
    """Estimates the (sigma, gain) of noise of variance gain (x + 1) + sigma^2; see `gaussian_noise`.

    By least squares over ranges of grey level, neither of them below 0.
    """
    level, difference = _squares(images, regions)
    if not len(level):
        return 0.0, 0.0
    edges = np.unique(np.quantile(level, np.linspace(0.0, 1.0, _RANGES + 1)))
    part = np.searchsorted(edges[1:-1], level, side="right")
    levels, variances = (
        np.array([measure(part == i) for i in np.unique(part)])
        for measure in (
            lambda rows: level[rows].mean(),
            lambda rows: (np.median(difference[rows]) / _MEDIAN_DISTANCE) ** 2,
        )
    )
    (gain, square), _ = nnls(np.stack([levels, np.ones_like(levels)], axis=1), variances)
    return float(np.sqrt(square)), float(gain)


def _squares(images: np.ndarray, regions: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Of each 2x2 square inside the regions the mean level above black, and the size of the diagonal difference."""
    a, b, c, d = _corners(images)
    inside = np.ones(a.shape, bool) if regions is None else np.min(_corners(regions), axis=0) > 0
    return ((a + b + c + d) / 4.0 - BLACK)[inside], (np.abs(a - b - c + d) / 2.0)[inside]


def _corners(images: np.ndarray) -> list[np.ndarray]:
    height, width = images.shape[1] // 2, images.shape[2] // 2
    return [images[:, top::2, left::2, 0][:, :height, :width] for top in (0, 1) for left in (0, 1)]
