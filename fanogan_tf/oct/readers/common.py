"""Shared parts of the readers of OCT files: their errors, and the test for a raster of parallel B-scans."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf.data.decode import read_image
from fanogan_tf.errors import UserError

EYES = {"R": "OD", "L": "OS", "OD": "OD", "OS": "OS"}
_RASTER = "a raster of at least 2 parallel B-scans is expected"
_PARALLEL_DEGREES = 3.0  # Eye tracking moves the B-scans of a raster a little; a star scan's differ by 7.5 degrees and more.


def unreadable(path: Path, reason: object) -> UserError:
    """The error for a file that cannot be read as a volume; `reason` may be an exception of a library."""
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return UserError(f"{path}: unreadable volume ({' '.join(text.split())[:300]}); export it again, or remove it")


def not_a_raster(path: Path, found: str) -> UserError:
    """The error for another scan pattern: "x.vol: a circle scan; a raster of at least 2 parallel B-scans is expected"."""
    return UserError(f"{path}: {found}; {_RASTER}")


def check_raster(path: Path, starts: np.ndarray, ends: np.ndarray) -> None:
    """Passes B-scans that run side by side.

    Args:
      starts, ends: (B, 2) where each B-scan begins and ends on the retina, in any one unit. Where no B-scan has a length,
        or there are values that are not finite (positions removed from the file), only the number of B-scans is looked at.

    Raises:
      UserError: a single B-scan, or directions that differ by more than 3 degrees, as those of a star scan do.
    """
    if len(starts) < 2:
        raise not_a_raster(path, "a single B-scan")
    along = np.asarray(ends, np.float64) - np.asarray(starts, np.float64)
    length = np.linalg.norm(along, axis=1)
    if not np.isfinite(along).all() or not length.any():
        return
    if not length.all():
        raise not_a_raster(path, "B-scans without a length among the others")
    cosine = np.clip(along @ along[0] / (length * length[0]), -1.0, 1.0)
    widest = float(np.degrees(np.arccos(cosine)).max())
    if widest > _PARALLEL_DEGREES:
        raise not_a_raster(path, f"B-scans that are not parallel (up to {widest:.0f} degrees apart, as in a star scan)")


def distance_between(starts: np.ndarray, ends: np.ndarray) -> float:
    """The mean distance of neighbouring B-scans, from their middles: in the unit of the positions, NaN if there is none."""
    middles = (np.asarray(starts, np.float64) + np.asarray(ends, np.float64)) / 2.0
    along = np.asarray(ends, np.float64)[0] - np.asarray(starts, np.float64)[0]
    steps = np.diff(middles, axis=0)
    if np.linalg.norm(along):
        # Only the part across the B-scans: a raster may be sheared by eye movements.
        direction = along / np.linalg.norm(along)
        steps = steps - np.outer(steps @ direction, direction)
    return positive(np.linalg.norm(steps, axis=1).mean())


def positive(value: Any) -> float:
    """A spacing in mm as float; NaN, meaning unknown, for anything but a positive finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return float("nan")
    return number if np.isfinite(number) and number > 0 else float("nan")


def known_rows(rows: np.ndarray, height: int) -> np.ndarray | None:
    """A surface as float32 with NaN for rows outside the image (files mark unknown ones so); None if none is known."""
    rows = np.asarray(rows, np.float32).copy()
    with np.errstate(invalid="ignore"):
        rows[~((rows >= 0) & (rows <= height))] = np.nan
    return rows if np.isfinite(rows).any() else None


def known_surfaces(surfaces: dict[str, np.ndarray], height: int) -> dict[str, np.ndarray]:
    """The surfaces of which at least one row is known."""
    cleaned = {name: known_rows(rows, height) for name, rows in surfaces.items()}
    return {name: rows for name, rows in cleaned.items() if rows is not None}


def stack_images(path: Path, images: Sequence[Path]) -> np.ndarray:
    """Reads one image per B-scan: (B, H, W), uint8 if all have 8 bits, else uint16 (where 8 bits become v * 257).

    Raises:
      UserError: an unreadable image, or images of different sizes.
    """
    scans = [read_image(image) for image in images]
    for image, scan in zip(images, scans, strict=True):
        if scan.shape != scans[0].shape:
            size, other = ("x".join(map(str, shape)) for shape in (scan.shape, scans[0].shape))
            reason = f"{image.name} has {size} pixels, {images[0].name} {other}: B-scans of one volume have one size"
            raise unreadable(path, reason)
    data = np.stack(scans)
    # The image reader widens 8 bits to 16 by v * 257; that is undone here without loss.
    return (data // 257).astype(np.uint8) if not (data % 257).any() else data
