import numpy as np
import pytest

from fanogan_tf.data.pixels import parse_image_size, resize, resize_mask
from fanogan_tf.errors import UserError


@pytest.mark.parametrize(("text", "size"), [("", None), ("64", (64, 64)), ("64x80", (64, 80))])
def test_parse(text, size):
    assert parse_image_size(text) == size


@pytest.mark.parametrize("text", ["abc", "0", "64x", "x64", "64x0", "-3", "6.5", "64x80x1", " 64", "64\n"])
def test_parse_refuses_junk(text):
    with pytest.raises(UserError, match="--image_size="):
        parse_image_size(text)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_resize_takes_height_first_and_keeps_dtype_and_range(dtype, white):
    image = np.zeros((10, 20), dtype)
    image[:, 10:] = white
    small = resize(image, (5, 4))
    assert small.shape == (5, 4) and small.dtype == dtype
    assert (small[:, 0] == 0).all() and (small[:, -1] == white).all()
    large = resize(image, (31, 47))
    assert large.min() == 0 and large.max() == white


def test_resize_to_the_same_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 65536, (7, 9)).astype(np.uint16)
    np.testing.assert_array_equal(resize(image, (7, 9)), image)


def test_shrinking_is_antialiased():
    stripes = np.tile(np.array([0, 65535], np.uint16), (64, 32))
    small = resize(stripes, (8, 8))[1:-1, 1:-1].astype(float)
    np.testing.assert_allclose(small, 32767.5, rtol=0.05)


def test_mask_pixels_are_set_by_the_larger_share():
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    small = resize_mask(mask, (2, 2))
    assert small.dtype == bool
    np.testing.assert_array_equal(small, [[True, True], [False, False]])
