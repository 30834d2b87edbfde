"""Fully developed speckle: the sum of many scatterers is a complex circular Gaussian field, so its amplitude is Rayleigh."""

import math

import numpy as np

# An intensity point spread of this FWHM belongs to an amplitude point spread whose standard deviation is FWHM * _DEVIATION:
# FWHM / (2 sqrt(2 ln 2)) for the intensity, sqrt(2) times that for the amplitude.
_DEVIATION = math.sqrt(2) / (2 * math.sqrt(2 * math.log(2)))


def speckle(rng: np.random.Generator, shape: tuple[int, int], averaging: int, widths: tuple[float, float]) -> np.ndarray:
    """The mean amplitude of `averaging` independent speckle patterns over a uniform region: float32 `shape`, mean 1.

    With averaging=1 it is Rayleigh, mean / sd = sqrt(pi / (4 - pi)) = 1.91; averaging N patterns divides the variance by N.

    Args:
      widths: FWHM in pixels of the intensity point spread along (rows, columns); 0 = uncorrelated.
    """
    down, along = (_kernel(width) for width in widths)
    padded = (shape[0] + len(down) - 1, shape[1] + len(along) - 1)
    total = np.zeros(shape, np.float32)
    for _ in range(averaging):
        power = np.zeros(shape, np.float32)
        for _ in ("real", "imaginary"):
            field = rng.standard_normal(padded, np.float32)
            field = _correlate(_correlate(field, down, 0), along, 1)
            power += np.square(field, out=field)
        total += np.sqrt(power, out=power)
    # The amplitude of a field with unit variance in each part has the mean sqrt(pi / 2).
    total /= averaging * math.sqrt(math.pi / 2)
    return total


def _kernel(width: float) -> np.ndarray:
    """Gaussian taps that keep the variance of white noise."""
    deviation = max(width * _DEVIATION, 1e-3)
    reach = math.ceil(2.5 * deviation) if width else 0
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return (taps / np.sqrt(np.sum(taps**2))).astype(np.float32)


def _correlate(field: np.ndarray, taps: np.ndarray, axis: int) -> np.ndarray:
    """The valid part of the correlation; sums of shifted float32 arrays are several times faster than scipy.ndimage here."""
    if len(taps) == 1:
        return field
    size = field.shape[axis] - len(taps) + 1
    shifted = [field[i : i + size] if axis == 0 else field[:, i : i + size] for i in range(len(taps))]
    total = taps[len(taps) // 2] * shifted[len(taps) // 2]
    buffer = np.empty_like(total)
    # The taps are symmetric: one product per pair.
    for i in range(len(taps) // 2):
        np.add(shifted[i], shifted[-1 - i], out=buffer)
        buffer *= taps[i]
        total += buffer
    return total
