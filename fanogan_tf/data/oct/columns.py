"""Fewer columns, as the paper has it: 512 become 256 (f-AnoGAN, section 3). Any number can become any smaller one."""

import numpy as np


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
