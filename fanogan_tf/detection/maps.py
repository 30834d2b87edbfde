"""Pixel maps as files."""

from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from fanogan_tf import files
from fanogan_tf.data.pixels import to_grey

# The strongest a residual can be: images are in [-1, 1].
_LARGEST = 2.0
# Of the maps of the critic's view, which have no bound: grey levels of 16 bits for 1, so that 64 and more are white.
PER_UNIT = 1024
LARGEST_OF_THE_CRITIC = 65535 / PER_UNIT
OF_THE_CRITIC = {"block_map": "blocks", "normality_map": "normality"}


def save_maps(folder: Path, batch: dict, measured: dict) -> None:
    """Writes PNGs for each image of a scored batch.

    `NAME.residual.png`: 16-bit grey, |x - G(E(x))| / 2 * 65535, the same scale for every image, for further computing.
    `NAME.overlay.png`: the image in grey with the residual in red, for looking at.
    `NAME.blocks.png`, `NAME.normality.png`: `block_map` and `normality_map` of `terms.with_terms`, where the method has them;
    16-bit grey, 1,024 levels for 1.

    Maps lie in `folder` as the images lie in theirs.
    """
    for i, (name, image, residual) in enumerate(zip(batch["name"], batch["image"], measured["residual"], strict=True)):
        path = folder / inside(str(name))
        share = np.clip(residual[..., 0] / _LARGEST, 0.0, 1.0)
        _save(path.with_name(f"{path.name}.residual.png"), np.round(share * 65535).astype(np.uint16))
        _save(path.with_name(f"{path.name}.overlay.png"), overlay(image, share))
        for key, ending in OF_THE_CRITIC.items():
            if key in measured:
                levels = np.clip(np.round(measured[key][i, ..., 0] * PER_UNIT), 0, 65535).astype(np.uint16)
                _save(path.with_name(f"{path.name}.{ending}.png"), levels)


def overlay(image: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Paints `share` (H, W) in [0, 1] red over an image (H, W, 1) in [-1, 1]: uint8 (H, W, 3)."""
    grey = to_grey(image)[..., 0].astype(np.float32)
    red = np.array([255.0, 32.0, 32.0], np.float32)
    # Half the scale is already fully red: residuals beyond it are rare, and small ones must be seen.
    strength = np.clip(2.0 * share, 0.0, 1.0)[..., None]
    return np.round(grey[..., None] * (1.0 - strength) + red * strength).astype(np.uint8)


def inside(name: str) -> PurePosixPath:
    """An image's name as a path that stays in the folder it is put in: "/a/b.png" -> "a/b.png", "../b.png" -> "__/b.png"."""
    return PurePosixPath(*("__" if part == ".." else part for part in PurePosixPath(name).parts if part != "/"))


def _save(path: Path, pixels: np.ndarray) -> None:
    with files.whole_file(path) as temporary:
        Image.fromarray(pixels).save(temporary)
