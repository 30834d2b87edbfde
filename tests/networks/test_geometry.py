import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.networks.geometry import Geometry, geometry

POSSIBLE = {
    base * 2**blocks: Geometry((base, base), blocks) for blocks in range(1, 7) for base in (4, 5, 6, 7) if base * 2**blocks <= 256
}


def test_the_possible_sides():
    assert sorted(POSSIBLE) == [8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256]


def test_sides():
    made = {}
    for side in range(1, 270):
        try:
            made[side] = geometry(side, side)
        except UserError as error:
            assert f"make {side}x{side};" in str(error)
    assert made == POSSIBLE


def test_by_hand():
    assert geometry(28, 28) == Geometry((7, 7), 2)
    assert geometry(64, 64) == Geometry((4, 4), 4)
    assert geometry(64, 112) == Geometry((4, 7), 4)
    assert geometry(48, 32) == Geometry((6, 4), 3)


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ((30, 30), "(28x28|32x32)"),
        ((100, 100), "96x96"),
        ((4, 4), "8x8"),
        ((0, 0), "8x8"),
        ((300, 300), "256x256"),
        ((100, 224), "(96x112|128x224)"),
        ((64, 65), "64x64"),
        ((33, 48), "32x48"),
        ((8, 1000), "(8x14|128x224)"),
        # Not 56x56 and 28x28, which the height alone would say.
        ((60, 64), "64x64"),
        ((30, 64), "32x56"),
    ],
)
def test_impossible_sizes_name_the_nearest(size, nearest):
    with pytest.raises(UserError, match=rf"^--image_size: .*make {size[0]}x{size[1]}; .* is {nearest} "):
        geometry(*size)


@pytest.mark.parametrize("size", [(64, 48), (28, 32), (8, 16), (256, 128), (64, 20)])
def test_sides_of_different_blocks(size):
    # 64 = 4 * 2^4 and 48 = 6 * 2^3: one would need more doublings than the other.
    with pytest.raises(UserError, match=f"{size[0]}x{size[1]}"):
        geometry(*size)


def test_the_nearest_size_named_is_possible():
    for height in range(1, 300, 7):
        for width in range(1, 300, 11):
            try:
                geometry(height, width)
            except UserError as error:
                named = str(error).split("they can is ")[1].split()[0]
                geometry(*map(int, named.split("x")))


def test_filters():
    assert geometry(64, 64).up_filters(64) == [512, 512, 256, 128, 64]
    assert geometry(64, 64).down_filters(64) == [64, 128, 256, 512, 512]
    assert geometry(8, 8).up_filters(3) == [6, 3]
    assert geometry(28, 28).down_filters(2) == [2, 4, 8]
    assert geometry(256, 256).up_filters(1) == [8, 8, 8, 8, 4, 2, 1]
