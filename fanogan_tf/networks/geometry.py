"""The image sizes that the networks can make: each side is base * 2^blocks with a base of 4 to 7."""

import dataclasses

from fanogan_tf.errors import UserError

_BASES = range(4, 8)
_BLOCKS = range(1, 7)
_SIDES = sorted(base * 2**blocks for base in _BASES for blocks in _BLOCKS if base * 2**blocks <= 256)


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The sizes of the feature maps inside a network.

    Attributes:
      base: (height, width) of the smallest feature maps.
      blocks: the number of doublings from there to the image.
    """

    base: tuple[int, int]
    blocks: int

    def up_filters(self, dim: int) -> list[int]:
        """Lists the filters before and after each up-block: at most 8 * dim, halved from block to block down to `dim`."""
        return [dim * min(2**i, 8) for i in range(self.blocks, -1, -1)]

    def down_filters(self, dim: int) -> list[int]:
        """Lists the filters before and after each down-block: `up_filters` in reverse."""
        return self.up_filters(dim)[::-1]


def geometry(height: int, width: int) -> Geometry:
    """Finds the feature maps' sizes for images of `height` x `width` pixels.

    Raises:
      UserError: the networks cannot make that size; the message names the nearest possible one.
    """
    possible = [(high, wide) for high in _SIDES for wide in _SIDES if _blocks(high) == _blocks(wide)]
    nearest = min(possible, key=lambda size: abs(size[0] - height) + abs(size[1] - width))
    if nearest != (height, width):
        raise UserError(
            f"--image_size: the networks cannot make {height}x{width}; the nearest size that they can is "
            f"{nearest[0]}x{nearest[1]} (each side 4 to 7 times one power of two, 8 to 256)"
        )
    blocks = _blocks(height)
    return Geometry(base=(height >> blocks, width >> blocks), blocks=blocks)


def _blocks(side: int) -> int:
    return (side // 4).bit_length() - 1
