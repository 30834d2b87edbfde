"""Many small images on one sheet."""

from pathlib import Path

import numpy as np
from PIL import Image

from fanogan_tf import files


def to_grey(images: np.ndarray) -> np.ndarray:
    """float images in [-1, 1] as uint8 in [0, 255], clipped and rounded."""
    return np.round(np.clip((np.asarray(images, np.float32) + 1.0) * 127.5, 0.0, 255.0)).astype(np.uint8)


def tile(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Lays images out row by row.

    Args:
      images: (N, H, W, 1) in [-1, 1].
      columns: images per row; the last row is filled up with white.
      gap: white pixels between neighbours.

    Returns:
      uint8 (rows * (H + gap) - gap, columns * (W + gap) - gap).
    """
    grey = to_grey(images)[..., 0]
    count, height, width = grey.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap), columns * (width + gap)), 255, np.uint8)
    for i, image in enumerate(grey):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]


def save(sheet: np.ndarray, path: Path, least_width: int = 600) -> None:
    """Writes a uint8 sheet as PNG, enlarged by a whole factor to about `least_width` pixels so that pixels stay sharp."""
    factor = max(1, round(least_width / sheet.shape[1]))
    with files.whole_file(path) as temporary:
        Image.fromarray(np.kron(sheet, np.ones((factor, factor), np.uint8))).save(temporary)
