import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from fanogan_tf.serving import graph_decoding

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8))


def jpeg(orientation: int | None, **more) -> bytes:
    entries = Image.Exif()
    entries[0x010F] = "a maker's name that comes first"
    if orientation is not None:
        entries[0x0112] = orientation
    buffer = io.BytesIO()
    IMAGE.save(buffer, "JPEG", exif=entries, **more)
    return buffer.getvalue()


def read(contents: bytes) -> int:
    return int(graph_decoding.orientation(tf.constant(contents)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_and_applied_as_pillow_does_it(orientation):
    contents = jpeg(orientation)
    assert read(contents) == orientation
    with Image.open(io.BytesIO(contents)) as image:
        stored, expected = np.asarray(image), np.asarray(ImageOps.exif_transpose(image))
    applied = graph_decoding.upright(tf.constant(stored), tf.constant(orientation, tf.int64))
    np.testing.assert_array_equal(applied.numpy(), expected)


def test_in_the_other_order_of_bytes():
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    payload = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    assert read(b"\xff\xd8" + segment + b"\xff\xda") == 6


def test_behind_a_comment():
    contents = jpeg(8)
    assert read(contents[:2] + b"\xff\xfe\x00\x06abcd" + contents[2:]) == 8


def test_where_there_is_none():
    buffer = io.BytesIO()
    IMAGE.save(buffer, "JPEG")
    assert read(buffer.getvalue()) == 1 == read(jpeg(None)) == read(jpeg(9)) == read(b"\xff\xd8\xff")


def test_cut_off_anywhere():
    contents = jpeg(6)
    place = contents.index(b"\x01\x12\x00\x03")
    assert {read(contents[:end]) for end in range(place)} == {1}
