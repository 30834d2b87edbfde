import numpy as np
import pytest

from fanogan_tf.data import organ


def region(top, bottom, left, right, shape=(100, 200)):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (region(20, 70, 50, 150), (18, 46, 72, 154)),  # 4 % of 50 is 2, of 100 is 4.
        (region(1, 99, 0, 200), (0, 0, 100, 200)),  # Not over the border.
        (region(10, 11, 10, 11), (10, 10, 11, 11)),  # One pixel has no margin.
        (region(10, 23, 10, 22), (9, 10, 24, 22)),  # .52 rounds to 1, .48 to 0.
        (region(0, 0, 0, 0), (0, 0, 100, 200)),  # Of nothing, the whole film.
        (region(20, 30, 20, 30) | region(60, 70, 150, 160), (18, 14, 72, 166)),  # Around all parts.
    ],
)
def test_box(mask, expected):
    assert organ.box(mask) == expected


def test_cut():
    image = np.arange(20000, dtype=np.uint16).reshape(100, 200)
    mask = region(20, 70, 50, 150)
    cropped, (other, none) = organ.cut(image, mask, "crop", mask, None)
    np.testing.assert_array_equal(cropped, image[18:72, 46:154])
    assert other.shape == cropped.shape and other.sum() == 5000 and none is None
    black, (other,) = organ.cut(image, mask, "cut_out", mask)
    assert black.dtype == np.uint16 and other is mask
    np.testing.assert_array_equal(black, np.where(mask, image, 0))
    same, _ = organ.cut(image, mask, "none", mask)
    assert same is image
