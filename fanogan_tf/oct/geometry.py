"""The retina's geometry: fewer columns, the retina cut out and flattened, and the way back (f-AnoGAN, section 3).

The bottom surface becomes the last row of an area of fixed height. A column whose retina is thicker than that is shrunk to it;
all others are left as they are, with what lies above the retina in the rows that remain. The paper reduces 512 columns to 256;
here any number can become any smaller one.
"""

import numpy as np


def flatten(scan: np.ndarray, top: np.ndarray, bottom: np.ndarray, height: int) -> np.ndarray:
    """Cuts the retina out of a B-scan.

    Args:
      scan: (H, W) grey values.
      top, bottom: (W,) whole rows of the two surfaces, top <= bottom; bottom inside the scan.
      height: rows of the area, >= 2.

    Returns:
      (height, W) float32; values between rows are interpolated. Where the area reaches beyond the scan's first row it goes on
      as in a mirror: what lies there is the same dark noise, and a plain colour would look like something new.
    """
    rows = _rows(top, bottom, height)
    low = np.floor(rows).astype(np.int64)
    weight = (rows - low).astype(np.float32)
    last = scan.shape[0] - 1
    columns = np.arange(scan.shape[1])
    above, below = scan[_mirrored(low, last), columns], scan[_mirrored(low + 1, last), columns]
    return above * (1 - weight) + below * weight


def flatten_codes(codes: np.ndarray, top: np.ndarray, bottom: np.ndarray, height: int) -> np.ndarray:
    """As `flatten` for codes such as lesion kinds: the nearest one, 0 beyond the scan."""
    rows = np.rint(_rows(top, bottom, height)).astype(np.int64)
    found = codes[np.clip(rows, 0, codes.shape[0] - 1), np.arange(codes.shape[1])]
    return np.where((rows >= 0) & (rows < codes.shape[0]), found, 0).astype(codes.dtype)


def unflatten(area: np.ndarray, top: np.ndarray, bottom: np.ndarray, rows: int) -> np.ndarray:
    """Puts an area (height, W) back into a B-scan of `rows` rows: (rows, W) float32, 0 outside the area."""
    height = area.shape[0]
    place = (height - 1) - (bottom - np.arange(rows)[:, None]) / _step(top, bottom, height)
    inside = (place >= 0) & (place <= height - 1)
    place = np.clip(place, 0, height - 1)
    low = np.minimum(np.floor(place).astype(np.int64), height - 2)
    weight = (place - low).astype(np.float32)
    columns = np.arange(area.shape[1])
    values = area[low, columns] * (1 - weight) + area[low + 1, columns] * weight
    return np.where(inside, values, np.float32(0)).astype(np.float32)


def starts(width: int, columns: int) -> np.ndarray:
    """(columns,) the first of the `width` columns that each of the `columns` <= width joins."""
    return np.arange(columns) * width // columns


def mean(values: np.ndarray, columns: int) -> np.ndarray:
    """(..., W) -> (..., columns) float32, means of neighbours; NaN counts for nothing, and only NaN gives NaN."""
    width = values.shape[-1]
    if columns == width:
        return values.astype(np.float32)
    values = values.astype(np.float32)
    known = ~np.isnan(values)
    if known.all():
        counts = np.diff(np.append(starts(width, columns), width)).astype(np.float32)
        return np.add.reduceat(values, starts(width, columns), axis=-1) / counts
    counts = np.add.reduceat(known.astype(np.float32), starts(width, columns), axis=-1)
    sums = np.add.reduceat(np.where(known, values, np.float32(0)), starts(width, columns), axis=-1)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def most(codes: np.ndarray, columns: int) -> np.ndarray:
    """(..., W) -> (..., columns), the largest of neighbours: a lesion in one of them is not lost."""
    return np.maximum.reduceat(codes, starts(codes.shape[-1], columns), axis=-1)


def spread(values: np.ndarray, width: int) -> np.ndarray:
    """(..., columns) -> (..., width), the reverse: each value goes to all the columns that it was made of."""
    columns = values.shape[-1]
    counts = np.diff(np.append(starts(width, columns), width))
    return np.repeat(values, counts, axis=-1)


def _step(top: np.ndarray, bottom: np.ndarray, height: int) -> np.ndarray:
    """(W,) rows of the scan per row of the area: 1, or more where the retina is thicker than the area is high."""
    return np.maximum(1.0, (bottom - top) / (height - 1))


def _rows(top: np.ndarray, bottom: np.ndarray, height: int) -> np.ndarray:
    """(height, W) the row of the scan that each pixel of the area comes from."""
    return bottom - np.arange(height - 1, -1, -1)[:, None] * _step(top, bottom, height)


def _mirrored(rows: np.ndarray, last: int) -> np.ndarray:
    rows = np.abs(rows)
    return np.clip(np.where(rows > last, 2 * last - rows, rows), 0, last)
