"""Image files, found and read as grey values."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fanogan_tf.data import dicom
from fanogan_tf.errors import UserError

_DICOM = (".dcm", ".dicom")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", *_DICOM)
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")


def find_images(folder: Path) -> list[Path]:
    """The images below `folder`, at any depth, sorted by path. Hidden files and folders are left out; links are followed."""
    return sorted(walk_images(folder), key=lambda path: path.as_posix())


def walk_images(folder: Path) -> Iterator[Path]:
    """The same, one after another in no promised order: memory does not grow with their number."""
    visited = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:  # A link to somewhere above would never end.
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if not name.startswith(".") and name.lower().endswith(EXTENSIONS))


def read_image(path: Path) -> np.ndarray:
    """Reads a PNG, JPEG, TIFF or BMP of 8 or 16 bits, or a DICOM (see `dicom.read_image_dicom`), as grey values.

    Colour becomes luminance, transparency is dropped, the EXIF orientation is applied. 8-bit v becomes v * 257, so that
    0 .. 255 fills 0 .. 65535 exactly.

    Returns:
      (H, W) uint16.

    Raises:
      UserError: the file cannot be read, or holds something else than one image of 8- or 16-bit integers.
    """
    if path.suffix.lower() in _DICOM:
        return dicom.read_image_dicom(path)
    try:
        # An open file, not its path: given a path, Pillow maps uncompressed TIFFs and garbles those with an orientation.
        with open(path, "rb") as file, Image.open(file, formats=_FORMATS) as image:
            # A JPEG may carry a second picture, its preview; pages of a TIFF are images that must not get lost.
            pages = getattr(image, "n_frames", 1)
            if image.format == "TIFF" and pages > 1:
                raise ValueError(f"it holds {pages} pages: save each as a file of its own")
            return _grey(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise _unreadable(path, "it is no PNG, JPEG, TIFF or BMP") from error
    except Exception as error:  # On damaged files Pillow raises nearly anything, from SyntaxError to struct.error.
        raise _unreadable(path, getattr(error, "strerror", None) or str(error) or type(error).__name__) from error


def decode_image(content: bytes) -> np.ndarray:
    """A PNG or JPEG file's content as `read_image` has it: (H, W) uint16.

    Raises:
      ValueError: it is neither, or damaged.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            return _grey(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise ValueError("image_bytes: neither PNG nor JPEG") from error
    except Exception as error:  # See `read_image`.
        raise ValueError(f"image_bytes: damaged ({' '.join(str(error).split())[:200]})") from error


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: unreadable image ({' '.join(reason.split())}); fix it, or give --skip_unreadable")


def _grey(image: Image.Image) -> np.ndarray:
    """(H, W) uint16 from an image of any integer mode."""
    if image.mode == "F":
        raise ValueError("floating-point pixels have no fixed range: save it with 8- or 16-bit integers")
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("its values are outside 0 .. 65535: save it with 8- or 16-bit integers")
        return values.astype(np.uint16)
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L")).astype(np.uint16) * np.uint16(257)
