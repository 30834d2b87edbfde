"""Patches of images: the places to cut them from, and arrays that cut them only when they are asked for.

Any number of such patches costs no memory and no disk.
"""

from collections.abc import Iterator, Sequence

import numpy as np

_SOME = 256


def grid(shape: tuple[int, int], size: tuple[int, int]) -> list[tuple[int, int]]:
    """The (top, left) of patches that cover an image of `shape` side by side; the last of a row or column ends at the border.

    The image must be at least as large as a patch in both directions.
    """
    tops, lefts = (
        [*range(0, whole - part + 1, part), *([whole - part] if whole % part else [])]
        for whole, part in zip(shape, size, strict=True)
    )
    return [(top, left) for top in tops for left in lefts]


def random(shape: tuple[int, int], size: tuple[int, int], count: int, seed: list[int]) -> list[tuple[int, int]]:
    """`count` different (top, left) drawn evenly; fewer where the image has not so many positions."""
    height, width = shape[0] - size[0] + 1, shape[1] - size[1] + 1
    drawn = np.random.default_rng(seed).choice(height * width, min(count, height * width), replace=False)
    return [(int(position) // width, int(position) % width) for position in drawn]


class PatchArray:
    """Looks like an array (N, height, width, 1), as far as `ImageSet` needs one.

    areas: each (K, H, W), all of one dtype, arrays or memory-maps.
    places: (N, 4) int, the (area array, index in it, top row, left column) of each patch.
    size: (height, width) of the patches.
    """

    def __init__(self, areas: Sequence[np.ndarray], places: np.ndarray, size: tuple[int, int]):
        self._areas = areas
        self._places = places
        self._size = size
        self.dtype = areas[0].dtype
        self.shape = (len(places), *size, 1)
        self.ndim = 4

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """The patches of a slice, or of indices or a mask: (n, height, width, 1)."""
        places = self._places[rows]
        patches = np.empty((len(places), *self._size, 1), self.dtype)
        height, width = self._size
        for i, (array, index, top, left) in enumerate(places):
            patches[i, ..., 0] = self._areas[array][index, top : top + height, left : left + width]
        return patches


def one_by_one(images: np.ndarray | PatchArray) -> Iterator[np.ndarray]:
    """Yields each image (H, W, 1); of patches and memory-maps only some hundreds are in memory at a time."""
    for first in range(0, len(images), _SOME):
        yield from images[first : first + _SOME]
