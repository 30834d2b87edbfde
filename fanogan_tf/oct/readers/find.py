"""OCT volumes from files: finding them, reading them, and what they depend on."""

import dataclasses
import functools
import math
import sys
from pathlib import Path

from fanogan_tf.data.decode import find_images
from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers import bscan_folder, dicom, duke, heidelberg_e2e, heidelberg_vol, heidelberg_xml, metaimage, retouch
from fanogan_tf.oct.readers.common import unreadable
from fanogan_tf.oct.readers.masks import read_lesions
from fanogan_tf.oct.volume import Volume

__all__ = ["VOLUME_EXTENSIONS", "find_volumes", "read_lesions", "read_volume", "volume_files"]

_READERS = {
    ".vol": heidelberg_vol.read,
    ".xml": heidelberg_xml.read,
    ".e2e": heidelberg_e2e.read,
    ".mat": duke.read,
    ".mhd": retouch.read,
    ".dcm": dicom.read,
    ".dicom": dicom.read,
}
VOLUME_EXTENSIONS: tuple[str, ...] = tuple(_READERS)

# mm between (B-scans, rows, columns) of a Spectralis macular raster of 49 x 496 x 512.
ASSUMED_SPACING = (0.123, 0.00387, 0.01133)


def find_volumes(folder: Path) -> list[Path]:
    """Every volume in `folder`, at any depth, sorted by path. Hidden files and folders are left out; links are followed.

    A volume is a file with one of VOLUME_EXTENSIONS, or a folder, `folder` itself included, that is not searched further:

    - a RETOUCH case, which has `oct.mhd`;
    - a HEYEX export, which has one `.xml`, images and no other volume;
    - a folder of B-scans, which has two images or more, and no volume but such folders below it.

    Folders are told by names alone; no file is opened.
    """
    return sorted(_find(Path(folder), set()), key=lambda path: path.as_posix())


def find_single_bscans(folder: Path) -> list[Path]:
    """Every image in `folder`, at any depth, sorted by path, each of which is a B-scan of its own."""
    return [path for path in find_images(folder) if bscan_folder.is_image(path)]


def read_volume(path: Path, name: str, assumed: tuple[float, float] | None = None) -> Volume:
    """Reads a volume, a file or a folder, as `find_volumes` gives it.

    B-scans keep the file's order, rows and columns its direction: nothing is flipped. Where a file does not tell a spacing, as
    images of B-scans never do, the assumed one is put in.

    Args:
      name: becomes the volume's name.
      assumed: millimetres from row to row and from column to column; None for ASSUMED_SPACING's, which is said once on stderr.

    Raises:
      UserError: missing, of an unknown or wrong kind, damaged, or no raster of at least two parallel B-scans; one line.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return _with_spacing(_reader(path)(path, name), assumed)


def read_single(path: Path, name: str, assumed: tuple[float, float] | None = None) -> Volume:
    """Reads an image as a volume of one B-scan; see `read_volume`.

    Raises:
      UserError: an unreadable image.
    """
    return _with_spacing(bscan_folder.read_single(Path(path), name), assumed)


def _with_spacing(volume: Volume, assumed: tuple[float, float] | None) -> Volume:
    usual = ASSUMED_SPACING if assumed is None else (ASSUMED_SPACING[0], *assumed)
    between, rows, columns = (
        known if math.isfinite(known) else given for known, given in zip(volume.spacing, usual, strict=True)
    )
    spacing = between, rows, columns
    if spacing != volume.spacing and assumed is None:
        _tell_assumed()
    return dataclasses.replace(volume, spacing=spacing)


def volume_files(path: Path) -> list[Path]:
    """All files whose bytes a volume depends on, sorted; for a hash of its contents.

    Raises:
      UserError: no volume, or a file is missing.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    reader = _reader(path)
    if reader is heidelberg_xml.read:
        xml = heidelberg_xml.xml_of(path)
        return sorted({xml, *heidelberg_xml.image_files(xml)})
    if reader is retouch.read:
        headers = [header for header in (retouch.scan_of(path), retouch.reference_of(path)) if header]
        return sorted({file for header in headers for file in (header, metaimage.raw_file(header))})
    if reader is bscan_folder.read:
        return sorted(bscan_folder.images_in(path))
    return [path]


def _reader(path: Path):
    if not path.is_dir():
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise unreadable(path, f"unknown extension: {', '.join(VOLUME_EXTENSIONS)} and folders of B-scans are known")
        return reader
    if (path / retouch.SCAN).is_file():
        return retouch.read
    if heidelberg_xml.xml_files(path):
        return heidelberg_xml.read
    if bscan_folder.images_in(path):
        return bscan_folder.read
    raise UserError(f"{path}: no volume; a folder with images of B-scans, one .xml export or oct.mhd is expected")


def _find(folder: Path, visited: set[Path]) -> list[Path]:
    real = folder.resolve()
    if real in visited or not folder.is_dir():  # A link to somewhere above would never end.
        return []
    visited.add(real)
    if (folder / retouch.SCAN).is_file():
        return [folder]
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in visible if path.suffix.lower() in _READERS and path.is_file()]
    images = bscan_folder.images_in(folder)
    if images and len(files) == 1 and files[0].suffix.lower() == ".xml":
        return [folder]
    inside = [found for path in visible if path.is_dir() for found in _find(path, visited)]
    # A picture or two beside folders of volumes is no volume; images in a folder below are masks or the like.
    if len(images) > 1 and not files and all(_is_bscans(found) for found in inside):
        return [folder]
    return files + inside


def _is_bscans(path: Path) -> bool:
    return path.is_dir() and _reader(path) is bscan_folder.read


@functools.cache  # Once is enough.
def _tell_assumed() -> None:
    usual = " x ".join(f"{1000 * step:g}" for step in ASSUMED_SPACING)
    text = "There are volumes that do not tell their pixel sizes, as folders of images never do"
    print(f"{text}: {usual} um (B-scans x rows x columns, Spectralis) is assumed", file=sys.stderr)
