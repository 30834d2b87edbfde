"""Anomaly maps of whole volumes as files: for looking at, and for other programs."""

import gzip
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image

from fanogan_tf import files
from fanogan_tf.detection.maps import inside, overlay
from fanogan_tf.errors import UserError
from fanogan_tf.oct.maps import en_face
from fanogan_tf.oct.preparation import PreparedVolume

# The strongest a residual can be: images are in [-1, 1].
_LARGEST = 2.0
# The mean residual that the en-face picture shows in its brightest colour. The same for every volume, so that pictures compare.
_BRIGHTEST = 0.5
_LEFT_OUT = (128, 128, 128)  # Not a colour of the map: nobody has looked there.


def save_volume_maps(folder: Path, volume: PreparedVolume, data: np.ndarray, maps: np.ndarray) -> None:
    """Writes the maps of one volume; they lie in `folder` as the volumes lie in theirs.

    `NAME/bscan_017.overlay.png`: the B-scan (counted from 0) in grey, its residual in red as in `maps.overlay`. Black and white
      are the volume's smallest and largest value. B-scans that were left out have none.
    `NAME.en_face.png`: see `en_face_picture`.
    `NAME.residual.nii.gz`: see `nifti`.

    Args:
      data: (B, H, W) the scanner's grey values.
      maps: (B, H, W) |x - G(E(x))| in [0, 2] in the scanner's geometry, from `volume.in_scanner_geometry`.

    Raises:
      UserError: nibabel is not installed; nothing is written then.
      ValueError: data or maps of another shape than the volume.
    """
    if data.shape != volume.shape or maps.shape != volume.shape:
        raise ValueError(f"data {data.shape} and maps {maps.shape} must both have the volume's shape {volume.shape}")
    path = Path(folder) / inside(volume.name)
    packed = nifti(volume, maps)
    with files.whole_file(path.with_name(f"{path.name}.residual.nii.gz")) as temporary:
        temporary.write_bytes(packed)
    _save(path.with_name(f"{path.name}.en_face.png"), en_face_picture(volume, maps))
    darkest, brightest = float(data.min()), float(data.max())
    for scan in volume.scans:
        image = 2 * (data[scan].astype(np.float32) - darkest) / (brightest - darkest) - 1
        _save(path / f"bscan_{scan:03d}.overlay.png", overlay(image[..., None], maps[scan] / _LARGEST))


def en_face_picture(volume: PreparedVolume, maps: np.ndarray) -> np.ndarray:
    """The map as seen from the front, laid out like a photograph of the fundus: the last B-scan, the upper one, at the top.

    Colours are matplotlib's inferno: black is a mean residual of 0, the brightest one of 0.5 or more. B-scans that were left
    out are grey. Pixels are square: one B-scan is as many rows high as its distance to the next is columns wide.

    Args:
      maps: (B, H, W) |x - G(E(x))| in the scanner's geometry.

    Returns:
      (B * rows per B-scan, W, 3) uint8.
    """
    between, _, lateral = volume.spacing
    colours = colormaps["inferno"](en_face(maps) / _BRIGHTEST, bytes=True)[..., :3].copy()
    colours[[scan for scan, _ in volume.left_out]] = _LEFT_OUT
    return colours[::-1].repeat(max(1, round(between / lateral)), axis=0)


def nifti(volume: PreparedVolume, maps: np.ndarray) -> bytes:
    """The maps as a compressed NIfTI-1 file, float32.

    Axes are (column, row, B-scan) in millimetres. Columns lead to the patient's left, rows to the back and B-scans upwards. That
    holds for either eye in the order of Heidelberg's scanners, whose first B-scan is the lowest; it is not checked for others.
    The origin is the first voxel: where the eye is in the room is not known. `descrip` names the map and the eye.

    Args:
      maps: (B, H, W) |x - G(E(x))| in the scanner's geometry.

    Raises:
      UserError: nibabel is not installed.
    """
    try:
        import nibabel
    except ImportError:
        raise UserError("maps of volumes need nibabel: pip install 'fanogan_tf[oct]'") from None

    between, axial, lateral = volume.spacing
    image = nibabel.Nifti1Image(maps.transpose(2, 1, 0).astype(np.float32), np.diag([-lateral, -axial, between, 1.0]))
    # Both forms, as some programs read only one; code 1: coordinates of the scanner.
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"fanogan_tf residual |x - G(E(x))|, eye {volume.eye or 'unknown'}"
    # Without a time in it, so that the same maps are the same file. Noise hardly shrinks further at higher levels.
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _save(path: Path, pixels: np.ndarray) -> None:
    with files.whole_file(path) as temporary:
        Image.fromarray(pixels).save(temporary)
