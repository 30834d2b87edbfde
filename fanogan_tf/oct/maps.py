"""Anomaly maps of whole volumes, from patches that overlap."""

import numpy as np

from fanogan_tf.data.patches import PatchArray
from fanogan_tf.data.pixels import to_signed
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.oct.preparation import PreparedVolume


def positions(whole: int, part: int, stride: int) -> list[int]:
    """Starts of parts that cover 0..whole, `stride` from one to the next; the last part ends at the border.

    Raises:
      ValueError: a part larger than the whole, or a stride that leaves gaps (not in 1..part).
    """
    if not 1 <= stride <= part <= whole:
        raise ValueError(f"parts of {part}, {stride} apart, do not cover {whole}")
    last = whole - part
    return [*range(0, last, stride), last]


def area_maps(detector: Detector, volume: PreparedVolume, stride: int, batch_size: int) -> np.ndarray:
    """The pixel maps |x - G(E(x))| of a volume's areas (f-AnoGAN, section 2.3); where patches overlap, their mean.

    A single patch knows nothing of what lies beside it: its map is poorest at the borders. Overlapping ones make up for that,
    and leave no seams.

    Args:
      stride: pixels from one patch to the next, in both directions; at most the patches' size.
      batch_size: patches scored at once, those of several B-scans together. No more than these are held at a time.

    Returns:
      (K, height, columns) float32 in [0, 2], like `volume.areas`.

    Raises:
      UserError: areas smaller than the detector's patches, or a stride that leaves gaps.
    """
    height, width = detector.image_shape[:2]
    scans, rows, columns = volume.areas.shape
    if rows < height or columns < width:
        raise UserError(
            f"{volume.name}: areas of {rows}x{columns} pixels, less than the detector's patches of {height}x{width}; "
            f"raise --oct_height and --oct_columns to these at least"
        )
    if not 1 <= stride <= min(height, width):
        raise UserError(f"--oct_stride={stride}: leaves gaps between patches of {height}x{width}; at most {min(height, width)}")

    corners = [(top, left) for top in positions(rows, height, stride) for left in positions(columns, width, stride)]
    counts = np.zeros((rows, columns), np.float32)
    for top, left in corners:
        counts[top : top + height, left : left + width] += 1
    places = np.array([(0, scan, top, left) for scan in range(scans) for top, left in corners])
    patches = PatchArray([volume.areas], places, (height, width))
    maps = np.zeros(volume.areas.shape, np.float32)
    for first in range(0, len(places), batch_size):
        batch = slice(first, first + batch_size)
        residuals = detector.measure(to_signed(patches[batch]))["residual"][..., 0]
        for (_, scan, top, left), residual in zip(places[batch], residuals, strict=True):
            maps[scan, top : top + height, left : left + width] += residual
    maps /= counts
    return maps


def en_face(maps: np.ndarray) -> np.ndarray:
    """Volume maps seen from the front, as one looks at a fundus: the mean residual over the depth of the area.

    The mean, and not the maximum: speckle alone brings single pixels of nearly every column near the largest residual, and a
    lesion is many pixels deep. Taken over the rows of the area only, so that it does not fall with the height of the scan.

    Args:
      maps: (B, H, W) in the scanner's geometry, 0 outside the areas. The area of a column reaches from its first row that is
        not 0 to its last.

    Returns:
      (B, W) float32 in the range of `maps`; 0 where there is no area.
    """
    found = maps != 0
    rows = maps.shape[1]
    first, last = found.argmax(axis=1), rows - 1 - found[:, ::-1].argmax(axis=1)
    depth = np.where(found.any(axis=1), last - first + 1, 1)
    return (maps.sum(axis=1, dtype=np.float64) / depth).astype(np.float32)
