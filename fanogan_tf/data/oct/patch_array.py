"""Patches that are cut when they are asked for: any number of them costs no memory and no disk."""

from collections.abc import Sequence

import numpy as np


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
