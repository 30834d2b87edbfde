"""A folder with one image per B-scan, or one image that is a B-scan of its own."""

import re
from pathlib import Path

import numpy as np

from fanogan_tf.data.decode import EXTENSIONS
from fanogan_tf.oct.readers.common import check_raster, stack_images
from fanogan_tf.oct.volume import Volume

_IMAGES = tuple(extension for extension in EXTENSIONS if extension not in (".dcm", ".dicom"))  # Those are volumes of their own.
_UNKNOWN = float("nan")


def is_image(path: Path) -> bool:
    """Whether the name is that of an image."""
    return path.suffix.lower() in _IMAGES


def images_in(folder: Path) -> list[Path]:
    """The visible images directly in `folder` in natural order, scan2.png before scan10.png; eyepy would take 10 first."""
    images = [path for path in folder.iterdir() if is_image(path) and not path.name.startswith(".") and path.is_file()]
    return sorted(images, key=lambda path: (_natural(path.name), path.name))


def read(path: Path, name: str) -> Volume:
    """Reads a folder of B-scans.

    Returns:
      data uint8 if all images have 8 bits, else uint16; spacing NaN, as images do not tell it; eye "".

    Raises:
      UserError: an unreadable image, images of different sizes, fewer than two.
    """
    images = images_in(path)
    check_raster(path, np.zeros((len(images), 2)), np.zeros((len(images), 2)))
    return Volume(name=name, data=stack_images(path, images), spacing=(_UNKNOWN, _UNKNOWN, _UNKNOWN))


def read_single(path: Path, name: str) -> Volume:
    """Reads one image as a volume of one B-scan; see `read`.

    Raises:
      UserError: an unreadable image.
    """
    return Volume(name=name, data=stack_images(path, [path]), spacing=(_UNKNOWN, _UNKNOWN, _UNKNOWN))


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name) if part]
