"""`--image_size`, and resizing to it."""

import re

import numpy as np
from PIL import Image

from fanogan_tf.errors import UserError


def parse_image_size(text: str) -> tuple[int, int] | None:
    """Reads "64" as (64, 64), "64x80" as (64, 80) = (height, width), and "" as None: the source's own size.

    Raises:
      UserError: anything else.
    """
    if not text:
        return None
    match = re.fullmatch(r"0*([1-9][0-9]{0,4})(?:x0*([1-9][0-9]{0,4}))?", text, re.ASCII)
    if not match:
        raise UserError(f"--image_size={text}: give a side in pixels (64) or height x width (64x80)")
    height, width = match[1], match[2] or match[1]
    return int(height), int(width)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear, antialiased when shrinking; integers in, the same integers' dtype out.

    Args:
      image: (H, W) uint8 or uint16.
      size: (height, width) wanted.
    """
    if image.shape == tuple(size):
        return image
    # Through float32, which holds every uint16: Pillow's own 16-bit mode does not resize in all versions.
    resized = Image.fromarray(image.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.rint(np.asarray(resized)).astype(image.dtype)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A bool mask (H, W) at another size: a pixel is set where at least half of what it covers was set."""
    return resize(mask.astype(np.uint8) * np.uint8(255), size) >= 128
