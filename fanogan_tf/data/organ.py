"""Films around their organ: cropped to the organ's box, or with all else black. Regions (H, W) are bool, True in the organ.

A film is brought to FILM x FILM pixels first, so that what is cut does not depend on how large a file was.
"""

import numpy as np

from fanogan_tf.data.patches import PatchArray
from fanogan_tf.data.pixels import small_copies
from fanogan_tf.errors import UserError

FILM = 256
# Of the box's sides, in percent, that stay around it.
MARGIN = 4
# A film is compared with the mean of others at this many pixels per side; real ones correlate with it by -.1 to 1.
_SIDE, _INVERTED = 32, -0.2


class OrganNotFound(UserError):
    """A film in which the organ is not found, or looks like none that the finder was trained on."""


def box(region: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the region with its margin, the last two just behind it; of an empty one, of the film."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return 0, 0, *region.shape
    (top, bottom), (left, right) = ((places[0], places[-1] + 1) for places in (rows, columns))
    tall, wide = ((MARGIN * int(length) + 50) // 100 for length in (bottom - top, right - left))
    height, width = region.shape
    return max(top - tall, 0), max(left - wide, 0), min(bottom + tall, height), min(right + wide, width)


def cut(
    image: np.ndarray, region: np.ndarray, how: str, *others: np.ndarray | None
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """Cuts an image (H, W) uint16, and others of its size; returns it and them.

    Args:
      image, region, others: of one size; others may be None, and then are.
      how: `none`; `crop`, to the box of the region; `cut_out`, the image black outside of the region, the others as they are.
    """
    if how == "crop":
        top, left, bottom, right = box(region)
        box_of = np.s_[top:bottom, left:right]
        return image[box_of], [None if part is None else part[box_of] for part in others]
    return np.where(region, image, image.dtype.type(0)) if how == "cut_out" else image, [*others]


def inverted(films: np.ndarray | PatchArray, others: np.ndarray | PatchArray) -> np.ndarray:
    """Which films are dark where most are bright: (N,) bool.

    films: (N, H, W, 1) uint8 or uint16. others: (M, H, W, 1), those that most are, such as the training films.
    """
    mean = small_copies(others, _SIDE).mean(axis=0)
    rows = small_copies(films, _SIDE)
    rows = rows - rows.mean(axis=1, keepdims=True)
    mean = mean - mean.mean()
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(mean)
    return np.asarray(rows @ mean < _INVERTED * lengths)
