"""Arrays, paths and iterators become the batches that files become."""

import numpy as np
import pytest
from PIL import Image

from fanogan_tf.data import image_stream
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.errors import UserError

SHAPE = (6, 5, 1)
RANDOM = np.random.default_rng(3)


def pixels(*shape, dtype=np.uint8):
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def all_of(images, batch_size=4):
    found = list(image_stream.given_batches(images, SHAPE, batch_size))
    return [len(batch["name"]) for batch in found], {
        name: np.concatenate([batch[name] for batch in found]) for name in ("image", "name")
    }


def test_an_array_is_read_as_its_file_is(tmp_path):
    arrays = {
        "grey.png": pixels(9, 7),
        "colour.png": pixels(12, 9, 3),
        "with_alpha.png": pixels(7, 8, 4),
        "of_16_bits.png": pixels(6, 5, dtype=np.uint16),
    }
    for name, array in arrays.items():
        Image.fromarray(array).save(tmp_path / name)
        _, from_array = all_of(array)
        _, from_file = all_of(tmp_path / name)
        streamed = next(ImageStream([tmp_path / name], SHAPE).batches(1))["image"]
        np.testing.assert_array_equal(from_array["image"], from_file["image"], err_msg=name)
        np.testing.assert_array_equal(from_file["image"], streamed, err_msg=name)
        assert from_array["name"].tolist() == ["0"] and from_file["name"].tolist() == [(tmp_path / name).as_posix()]


def test_luminance_of_16_bits_is_that_of_8():
    colour = pixels(20, 20, 3)
    low, high = image_stream.grey(colour), image_stream.grey(colour.astype(np.uint16) * np.uint16(257))
    assert np.abs(low.astype(int) - high).max() <= 257  # One step of 8 bits: Pillow rounds there.


def test_shapes_count_as_one_image_or_several():
    for shape, count in {(9, 7): 1, (9, 7, 3): 1, (9, 7, 4): 1, (5, 9, 7): 5, (5, 9, 7, 1): 5, (2, 9, 7, 3): 2}.items():
        _, found = all_of(pixels(*shape))
        assert found["image"].shape == (count, *SHAPE), shape


def test_an_iterator_of_all_kinds_is_gone_through_once_in_batches(tmp_path):
    Image.fromarray(pixels(9, 7)).save(tmp_path / "a.png")
    mixed = iter([pixels(6, 5), tmp_path / "a.png", str(tmp_path), pixels(9, 7, 3), pixels(3, 3)])
    sizes, found = all_of(mixed, batch_size=2)
    file = (tmp_path / "a.png").as_posix()
    assert sizes == [2, 2, 1] and found["name"].tolist() == ["0", file, file, "3", "4"]


def test_what_is_no_image_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    for given, message in (
        (np.zeros((4, 4), np.float32), r"type float32 is no image"),
        ([np.zeros((4, 4, 2), np.uint8)], r"shape \(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), r"is no image"),
        (tmp_path / "none.png", r"none\.png: no such file or folder"),
        (tmp_path / "empty", r"no images in this folder"),
    ):
        with pytest.raises(UserError, match=message):
            list(image_stream.given_batches(given, SHAPE, 4))
