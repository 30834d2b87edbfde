"""Costs for the surface search: low where a place looks like the top, or like the bottom, of the retina.

Rows are counted at pixel centres. Lengths are in micrometres, so that the costs mean the same at every sampling.
"""

import numpy as np
from scipy import ndimage


def shrink(data: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means of blocks of `rows` x `columns` pixels of each B-scan: (B, H, W) -> float32; smaller blocks at the far border."""
    scans, height, width = data.shape
    starts, lefts = np.arange(0, height, rows), np.arange(0, width, columns)
    small = np.empty((scans, len(starts), len(lefts)), np.float32)
    area = np.diff(starts, append=height)[:, None] * np.diff(lefts, append=width)
    for scan in range(scans):
        sums = np.add.reduceat(data[scan].astype(np.float32), starts, axis=0)
        small[scan] = np.add.reduceat(sums, lefts, axis=1) / area
    return small


def centres(size: int, step: int) -> np.ndarray:
    """Where the middles of `shrink`'s blocks of `step` pixels lie in a line of `size` pixels: float64."""
    starts = np.arange(0, size, step)
    return (starts + np.minimum(starts + step, size) - 1) / 2


def resample(values: np.ndarray, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolates (B, N) values known at `at` (N,) to `wanted` (M,), linearly, and straight on beyond the ends: (B, M)."""
    if len(at) == 1:
        return np.repeat(values, len(wanted), axis=1)
    left = np.clip(np.searchsorted(at, wanted) - 1, 0, len(at) - 2)
    share = (wanted - at[left]) / (at[left + 1] - at[left])
    return values[:, left] * (1 - share) + values[:, left + 1] * share


def levels(small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dark and bright grey value of every B-scan, (B,) each: 10th and 98th percentile of its block means."""
    dark, bright = np.percentile(small, (10, 98), axis=(1, 2))
    return dark, bright


def relative(data: np.ndarray, dark: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Grey values of each B-scan with its dark level at 0 and its bright level at 1, cut off at 1.5: float32."""
    span = np.maximum(bright - dark, 1e-6)
    return np.clip((data - dark[:, None, None]) / span[:, None, None], -0.5, 1.5).astype(np.float32)


def flatten(image: np.ndarray, surface: np.ndarray, reach: int) -> np.ndarray:
    """Columns of (B, H, W) around a surface (B, W), which gets into the middle: (B, W, 2 reach + 1). Border pixels go on."""
    height = image.shape[1]
    rows = np.clip(surface[:, :, None] + np.arange(-reach, reach + 1), 0, height - 1)
    above = np.minimum(rows.astype(np.int32), height - 2)
    share = (rows - above).astype(np.float32)
    columns = image.swapaxes(1, 2)
    upper = np.take_along_axis(columns, above, axis=2)
    return upper + share * (np.take_along_axis(columns, above + 1, axis=2) - upper)


def edges(columns: np.ndarray, along: float, across: float) -> np.ndarray:
    """How much brighter it becomes with depth at a place: (B, W, Z) -> (B, W, Z), the height of the step that a clean edge has.

    Derivative of a Gaussian in depth, smoothed along the B-scan, as the same edge goes on there and speckle does not.

    Args:
      along, across: standard deviations of the Gaussian in depth and along the B-scan, in pixels.
    """
    smooth = ndimage.gaussian_filter1d(columns, across, axis=1, mode="nearest") if across else columns
    slope = ndimage.gaussian_filter1d(smooth, along, axis=2, order=1, mode="nearest")
    return slope * (along * np.sqrt(2 * np.pi))


def box_above(columns: np.ndarray, size: int) -> np.ndarray:
    """Mean of the `size` places before each place, that place not among them: (B, W, Z) -> (B, W, Z)."""
    padded = np.pad(columns, ((0, 0), (0, 0), (size, 0)), mode="edge")
    total = np.cumsum(padded, axis=2, dtype=np.float64)
    total = np.concatenate([np.zeros_like(total[..., :1]), total], axis=2)
    return ((total[..., size:-1] - total[..., : -size - 1]) / size).astype(np.float32)


def highest_below(columns: np.ndarray, first: int, last: int) -> np.ndarray:
    """The highest value from `first` to `last` places deeper, 0 where none is above 0 or the column has ended: (B, W, Z)."""
    size = last - first + 1
    padded = np.pad(np.maximum(columns, 0.0), ((0, 0), (0, 0), (0, last + size)))
    highest = ndimage.maximum_filter1d(padded, size, axis=2, origin=-(size // 2), mode="constant")
    return highest[..., first : first + columns.shape[2]]


def bright_line(rising: np.ndarray, thick: int, middle: int, near: int) -> np.ndarray:
    """How much the brightest line that ends within `near` places of the middle is brighter than both its sides: (B, W).

    Args:
      rising: (B, W, Z) `edges`.
      thick: the line's thickness in places.
    """
    thick, near = max(1, thick), max(1, near)
    line = np.minimum(-rising[..., thick:], rising[..., :-thick])
    first = max(0, middle - thick - near)
    return line[..., first : first + 2 * near].max(axis=2)


def later(columns: np.ndarray, rows: int) -> np.ndarray:
    """Moved deeper by so many places, at least 1: (B, W, Z) -> (B, W, Z)."""
    return np.pad(columns[..., :-rows], ((0, 0), (0, 0), (rows, 0)), mode="edge")


def refined(strength: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Places (B, W) to a part of a pixel: the top of the parabola through the strength (B, W, Z) there and on both sides."""
    middle = np.clip(found, 1, strength.shape[2] - 2)
    before, here, after = (np.take_along_axis(strength, (middle + k)[..., None], axis=2)[..., 0] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / np.where(bend < 0, bend, -1.0)
    peak = (bend < 0) & (np.abs(shift) <= 1.0) & (middle == found)
    return np.where(peak, found + shift, found)
