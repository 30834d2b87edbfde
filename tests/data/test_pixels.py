import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fanogan_tf.data import pixels
from fanogan_tf.data.pixels import parse_image_size, resize, resize_mask, to_signed
from fanogan_tf.errors import UserError


def test_sizes_are_read():
    for text, size in (("", None), ("64", (64, 64)), ("64x80", (64, 80))):
        assert parse_image_size(text) == size, text


def test_junk_is_no_size():
    for text in ("abc", "0", "64x", "x64", "64x0", "-3", "6.5", "64x80x1", " 64", "64\n"):
        with pytest.raises(UserError, match="--image_size="):
            pytest.fail(f"{text!r} was read as {parse_image_size(text)}")


def test_resize_takes_height_first_and_keeps_dtype_and_range():
    for dtype, white in ((np.uint8, 255), (np.uint16, 65535)):
        image = np.zeros((10, 20), dtype)
        image[:, 10:] = white
        small = resize(image, (5, 4))
        assert small.shape == (5, 4) and small.dtype == dtype, dtype
        assert (small[:, 0] == 0).all() and (small[:, -1] == white).all(), dtype
        large = resize(image, (31, 47))
        assert large.min() == 0 and large.max() == white, dtype


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


def test_signed_values_by_hand():
    for dtype, values in ((np.uint8, [0, 51, 204, 255]), (np.uint16, [0, 13107, 52428, 65535])):
        array = to_signed(np.array(values, dtype))
        tensor = to_signed(tf.constant(values, tf.as_dtype(dtype)))
        assert array.dtype == np.float32 and tensor.dtype == tf.float32, dtype
        for signed in (array, tensor.numpy()):
            np.testing.assert_allclose(signed, [-1.0, -0.6, 0.6, 1.0], atol=1e-7, err_msg=str(dtype))


def test_eight_bits_kept_as_sixteen_are_the_same_image():
    eight = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(to_signed(eight.astype(np.uint16) * 257), to_signed(eight), atol=1e-7)


def test_floats_have_no_known_range():
    with pytest.raises(KeyError):
        to_signed(np.zeros(3, np.float32))


def test_grey_values_by_hand():
    images = np.array([-5.0, -1.0, -0.5, 0.0, 0.5, 1.0, 5.0])
    grey = pixels.to_grey(images)
    assert grey.dtype == np.uint8
    assert grey.tolist() == [0, 0, 64, 128, 191, 255, 255]


def test_tile_by_hand():
    images = np.full((3, 2, 1, 1), -1.0)
    images[1], images[2, 1] = 0.0, 0.0
    # White gaps of one pixel and a white place for the fourth image.
    expected = [[0, 255, 128], [0, 255, 128], [255, 255, 255], [0, 255, 255], [128, 255, 255]]
    np.testing.assert_array_equal(pixels.tile(images, columns=2, gap=1), expected)


def test_tile_shapes():
    images = np.zeros((7, 4, 6, 1))
    assert pixels.tile(images, columns=3).shape == (3 * 6 - 2, 3 * 8 - 2)
    assert pixels.tile(images, columns=7, gap=0).shape == (4, 42)
    assert pixels.tile(images[:1], columns=1).shape == (4, 6)
    assert pixels.tile(images, columns=9).shape == (4, 9 * 8 - 2)


def test_saved_enlarged_by_a_whole_factor(tmp_path):
    sheet = np.random.default_rng(0).integers(0, 256, (10, 95), dtype=np.uint8)
    pixels.save(sheet, tmp_path / "new" / "a.png")
    saved = np.array(Image.open(tmp_path / "new" / "a.png"))
    assert saved.shape == (60, 570)
    np.testing.assert_array_equal(saved[::6, ::6], sheet)
    np.testing.assert_array_equal(saved, np.kron(sheet, np.ones((6, 6))))


def test_large_sheets_keep_their_size(tmp_path):
    sheet = np.zeros((3, 2000), np.uint8)
    pixels.save(sheet, tmp_path / "a.png")
    assert np.array(Image.open(tmp_path / "a.png")).shape == (3, 2000)
