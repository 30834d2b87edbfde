"""Where patches are cut from an image."""

import numpy as np


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
