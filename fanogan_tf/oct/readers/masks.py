"""Lesion masks in a file of their own."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf.errors import UserError, require
from fanogan_tf.oct.volume import FLUID, Volume

_CODES = "use 0 for none and 1, 2, 3 for intraretinal fluid, subretinal fluid, detachment, or 0 and 255 for any fluid"


def read_lesions(path: Path, volume: Volume) -> Volume:
    """Adds the lesions of a mask file to a volume.

    Args:
      path: `.npy` of shape (B, H, W), or NIfTI (`.nii`, `.nii.gz`) of shape (W, H, B): array[column, row, B-scan], the axes as
        stored, whatever its affine says.
      volume: lesions that it has are replaced.

    Values are RETOUCH's: 0 none, 1 intraretinal fluid, 2 subretinal fluid, 3 detachment of the pigment epithelium. A mask of
    booleans, or of 0 and 255 only, does not tell kinds: it counts as intraretinal fluid, which is as much fluid as the others.

    Returns:
      The volume with `lesions` and `kinds` = volume.FLUID.

    Raises:
      UserError: an unreadable file, another shape than the volume's, other values.
    """
    path = Path(path)
    mask = _array(path)
    if mask.shape != volume.data.shape:
        shapes = f"a mask of {mask.shape} (B-scans, rows, columns), but {volume.name} has {volume.data.shape}"
        raise UserError(f"{path}: {shapes}; give the mask of this volume")
    if mask.dtype.kind not in "buif":
        raise UserError(f"{path}: a mask of type {mask.dtype}; {_CODES}")
    present = np.unique(mask)
    if set(present.tolist()) <= {0, 255}:
        mask = mask != 0
    elif not set(present.tolist()) <= {0, 1, 2, 3}:
        strange = next(value for value in present.tolist() if value not in (0, 1, 2, 3))
        raise UserError(f"{path}: a mask with the value {strange}; {_CODES}")
    return dataclasses.replace(volume, lesions=mask.astype(np.uint8), kinds=FLUID)


def _array(path: Path) -> np.ndarray:
    """The mask with the axes (B, H, W)."""
    name = path.name.lower()
    if not name.endswith((".npy", ".nii", ".nii.gz")):
        raise UserError(f"{path}: a mask must be a .npy, .nii or .nii.gz file")
    if not name.endswith(".npy"):
        require("nibabel", path, "oct")
    try:
        if name.endswith(".npy"):
            return np.load(path, allow_pickle=False)
        import nibabel

        image: Any = nibabel.load(path)
        return np.ascontiguousarray(np.asanyarray(image.dataobj).T)
    except Exception as error:  # numpy, nibabel, zlib: whatever a damaged file makes them raise.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{path}: unreadable mask ({' '.join(reason.split())[:300]}); save it again") from error
