"""Pixels: sizes and resizing, stored integers and the networks' range [-1, 1], and sheets of many small images."""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from fanogan_tf import files
from fanogan_tf.data.patches import PatchArray, one_by_one
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
    return np.asarray(np.rint(np.asarray(resized)), image.dtype)


def resize_in_graph(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """(h, w) float32 -> (H, W) float32, rounded to whole numbers: `resize`, in a graph.

    Pillow's two passes as two products with matrices, columns before rows. It sums up in double precision, and so does this.
    """
    height, width = size
    across = tf.matmul(tf.cast(image, tf.float64), _weights(tf.shape(image)[1], width), transpose_b=True)
    down = tf.matmul(_weights(tf.shape(image)[0], height), tf.cast(tf.cast(across, tf.float32), tf.float64))
    return tf.ensure_shape(tf.round(tf.cast(down, tf.float32)), size)


def _weights(old: tf.Tensor, new: int) -> tf.Tensor:
    """What each of `old` pixels in a row gives to each of `new` ones: (new, old) float64, every row's sum is 1.

    A triangle around the new pixel's centre, which reaches one old pixel far, or one new pixel where those are larger.
    """
    scale = tf.cast(old, tf.float64) / new
    reach = tf.maximum(scale, 1.0)
    centres = (tf.range(new, dtype=tf.float64) + 0.5) * scale
    distances = tf.abs(tf.range(tf.cast(old, tf.float64), dtype=tf.float64) + 0.5 - centres[:, tf.newaxis]) / reach
    triangle = tf.nn.relu(1.0 - distances)
    return triangle / tf.reduce_sum(triangle, axis=1, keepdims=True)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A bool mask (H, W) at another size: a pixel is set where at least half of what it covers was set."""
    return np.asarray(resize(mask.astype(np.uint8) * np.uint8(255), size) >= 128)


def small_copies(images: np.ndarray | PatchArray, side: int) -> np.ndarray:
    """Copies of images (N, H, W, 1) uint8 or uint16, at most `side` x `side` pixels each by means of areas, as rows.

    Returns:
      (N, pixels) float32 in [-1, 1].
    """
    rows = []
    for image in one_by_one(images):
        signed = to_signed(image[..., 0])
        height, width = (min(side, length) for length in signed.shape)
        small = (
            signed
            if signed.shape == (height, width)
            else np.asarray(Image.fromarray(signed).resize((width, height), Image.Resampling.BOX))
        )
        rows.append(small.ravel())
    return np.stack(rows)


_HALF_RANGE = {"uint8": 127.5, "uint16": 32767.5}


def to_signed(images: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Maps uint8 v to v / 127.5 - 1 and uint16 v to v / 32767.5 - 1.

    Args:
      images: any shape, uint8 or uint16; an array or a tensor.

    Returns:
      float32 in [-1, 1], same shape, same kind (array or tensor).

    Raises:
      KeyError: any other dtype.
    """
    if tf.is_tensor(images):
        return tf.cast(images, tf.float32) / _HALF_RANGE[images.dtype.name] - 1.0
    return np.asarray(images).astype(np.float32) / np.float32(_HALF_RANGE[images.dtype.name]) - np.float32(1)


def to_grey(images: np.ndarray) -> np.ndarray:
    """Float images in [-1, 1] as uint8 in [0, 255], clipped and rounded."""
    return np.asarray(np.round(np.clip((np.asarray(images, np.float32) + 1.0) * 127.5, 0.0, 255.0)), np.uint8)


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
