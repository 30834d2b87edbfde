import numpy as np
from PIL import Image

from fanogan_tf.data import pixels as sheets


def test_to_grey():
    images = np.array([-5.0, -1.0, -0.5, 0.0, 0.5, 1.0, 5.0])
    grey = sheets.to_grey(images)
    assert grey.dtype == np.uint8
    assert grey.tolist() == [0, 0, 64, 128, 191, 255, 255]


def test_tile_by_hand():
    images = np.full((3, 2, 1, 1), -1.0)
    images[1], images[2, 1] = 0.0, 0.0
    # White gaps of one pixel and a white place for the fourth image.
    expected = [[0, 255, 128], [0, 255, 128], [255, 255, 255], [0, 255, 255], [128, 255, 255]]
    np.testing.assert_array_equal(sheets.tile(images, columns=2, gap=1), expected)


def test_tile_shapes():
    images = np.zeros((7, 4, 6, 1))
    assert sheets.tile(images, columns=3).shape == (3 * 6 - 2, 3 * 8 - 2)
    assert sheets.tile(images, columns=7, gap=0).shape == (4, 42)
    assert sheets.tile(images[:1], columns=1).shape == (4, 6)
    assert sheets.tile(images, columns=9).shape == (4, 9 * 8 - 2)


def test_saved_enlarged_by_a_whole_factor(tmp_path):
    sheet = np.random.default_rng(0).integers(0, 256, (10, 95), dtype=np.uint8)
    sheets.save(sheet, tmp_path / "new" / "a.png")
    pixels = np.array(Image.open(tmp_path / "new" / "a.png"))
    assert pixels.shape == (60, 570)
    np.testing.assert_array_equal(pixels[::6, ::6], sheet)
    np.testing.assert_array_equal(pixels, np.kron(sheet, np.ones((6, 6))))


def test_large_sheets_keep_their_size(tmp_path):
    sheet = np.zeros((3, 2000), np.uint8)
    sheets.save(sheet, tmp_path / "a.png")
    assert np.array(Image.open(tmp_path / "a.png")).shape == (3, 2000)
