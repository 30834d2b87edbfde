import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from fanogan_tf.data import pixels
from fanogan_tf.data.decode import read_image
from fanogan_tf.serving import graph_decoding

SIZE = (16, 24)


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda contents: graph_decoding.decode(contents, SIZE), input_signature=[tf.TensorSpec((None,), tf.string)]
    )


def image(mode: str, height: int = 33, width: int = 41) -> Image.Image:
    """Smooth enough for JPEG, different in every channel."""
    random = np.random.default_rng(0)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width)).astype(np.uint16))
    coarse = Image.fromarray(random.integers(0, 256, (6, 7, 4), np.uint8))
    smooth = coarse.resize((width, height), Image.Resampling.BICUBIC)
    if mode == "P":
        return smooth.convert("RGB").quantize(40)
    if mode == "LA":
        return Image.merge("LA", smooth.split()[:2])
    return smooth if mode == "RGBA" else Image.fromarray(np.asarray(smooth)[..., :3]).convert(mode)


def png(mode: str, **size) -> bytes:
    return encoded(image(mode, **size), "PNG")


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def png_of_16_bits(channels: int, colour_type: int) -> bytes:
    """Colour, or grey with transparency, of 16 bits: Pillow reads such PNGs and writes none."""
    height, width = 33, 41
    rows = np.random.default_rng(0).integers(0, 65536, (height, width * channels)).astype(">u2")

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")


FILES = {f"{mode}.png": png(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")}
FILES |= {f"{mode}-{q}.jpg": encoded(image(mode), "JPEG", quality=q) for mode in ("L", "RGB") for q in (60, 95)}
FILES |= {f"sampled-{s}.jpg": encoded(image("RGB"), "JPEG", subsampling=s) for s in (0, 1, 2)}
FILES |= {"LA-16.png": png_of_16_bits(2, 4), "RGB-16.png": png_of_16_bits(3, 2), "RGBA-16.png": png_of_16_bits(4, 6)}
FILES["progressive.jpg"] = encoded(image("RGB"), "JPEG", progressive=True)
FILES["small.png"], FILES["right.png"] = png("RGB", height=5, width=3), png("RGB", height=16, width=24)


def test_as_read_from_a_file(decode, tmp_path):
    for name, contents in FILES.items():
        (tmp_path / name).write_bytes(contents)
        expected = pixels.resize(read_image(tmp_path / name), SIZE).astype(np.float32)
        decoded = decode(tf.constant([contents])).numpy()[0, ..., 0]
        assert np.abs(decoded - expected).max() <= 1, name  # Of 65535.
        assert (decoded != expected).mean() < 0.01, name


def test_several_sizes_and_formats_in_one_batch(decode):
    together = decode(tf.constant(list(FILES.values()))).numpy()
    apart = [decode(tf.constant([contents])).numpy()[0] for contents in FILES.values()]
    np.testing.assert_array_equal(together, apart)


def test_no_images(decode):
    assert decode(tf.constant([], tf.string)).shape == (0, *SIZE, 1)


BROKEN = {
    "nothing": b"",
    "text": b"hello",
    "gif": encoded(image("L"), "GIF"),
    "a cut PNG": FILES["RGB.png"][:-200],
    "a cut JPEG": FILES["RGB-95.jpg"][:-200],
    "the start of a PNG": FILES["RGB.png"][:8],
    "the start of a JPEG": FILES["RGB-95.jpg"][:3],
}


def test_broken_ones_are_refused(decode):
    for name, contents in BROKEN.items():
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(tf.constant([FILES["L.png"], contents]))
            pytest.fail(name)


STORED = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8))


def jpeg(orientation: int | None, **more) -> bytes:
    entries = Image.Exif()
    entries[0x010F] = "a maker's name that comes first"
    if orientation is not None:
        entries[0x0112] = orientation
    buffer = io.BytesIO()
    STORED.save(buffer, "JPEG", exif=entries, **more)
    return buffer.getvalue()


def orientation_of(contents: bytes) -> int:
    return int(graph_decoding.orientation(tf.constant(contents)))


def test_orientation_is_read_and_applied_as_pillow_does_it():
    for orientation in range(1, 9):
        contents = jpeg(orientation)
        assert orientation_of(contents) == orientation
        with Image.open(io.BytesIO(contents)) as picture:
            stored, expected = np.asarray(picture), np.asarray(ImageOps.exif_transpose(picture))
        applied = graph_decoding.upright(tf.constant(stored), tf.constant(orientation, tf.int64))
        np.testing.assert_array_equal(applied.numpy(), expected, err_msg=f"orientation {orientation}")


def test_orientation_in_the_other_order_of_bytes():
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    payload = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    assert orientation_of(b"\xff\xd8" + segment + b"\xff\xda") == 6


def test_orientation_behind_a_comment():
    contents = jpeg(8)
    assert orientation_of(contents[:2] + b"\xff\xfe\x00\x06abcd" + contents[2:]) == 8


def test_where_there_is_no_orientation():
    buffer = io.BytesIO()
    STORED.save(buffer, "JPEG")
    assert (
        orientation_of(buffer.getvalue())
        == 1
        == orientation_of(jpeg(None))
        == orientation_of(jpeg(9))
        == orientation_of(b"\xff\xd8\xff")
    )


def test_orientation_cut_off_anywhere():
    contents = jpeg(6)
    place = contents.index(b"\x01\x12\x00\x03")
    assert {orientation_of(contents[:end]) for end in range(place)} == {1}


def test_resized_as_pillow_does_it():
    for old in ((16, 16), (37, 53), (8, 200), (64, 65), (5, 3)):
        for new in ((16, 16), (24, 40)):
            image = np.random.default_rng(0).integers(0, 65536, old).astype(np.uint16)
            resized = pixels.resize_in_graph(tf.constant(image.astype(np.float32)), new).numpy()
            expected = pixels.resize(image, new).astype(np.float32)
            # Sums in another order: of half a level, one of the two may make more.
            assert np.abs(resized - expected).max() <= 1, (old, new)
            assert (resized != expected).mean() < 0.005, (old, new)


def test_resizing_to_its_own_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 65536, (16, 24)).astype(np.float32)
    np.testing.assert_array_equal(pixels.resize_in_graph(tf.constant(image), (16, 24)).numpy(), image)


to_signed = tf.function(
    lambda image: graph_decoding.sixteen_bits_to_signed(graph_decoding.to_levels(image)),
    input_signature=[tf.TensorSpec((None, 1, 1, 1), tf.float32)],
)


def grey(values):
    return np.asarray(values, np.float32).reshape(-1, 1, 1, 1)


def test_every_value_of_16_bits_to_the_last_bit():
    stored = np.arange(65536, dtype=np.uint16)
    signed = to_signed(grey(stored) / np.float32(257)).numpy().ravel()
    np.testing.assert_array_equal(signed, pixels.to_signed(stored))


def test_every_value_of_8_bits_to_the_last_bit():
    stored = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_signed(grey(stored)).numpy().ravel(), pixels.to_signed(stored))


def test_other_ranges_are_refused():
    for value in (-1.0, 255.5, 65535.0, np.nan):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"grey levels must be in \[0, 255\]"):
            to_signed(grey([7.0, value]))


def test_masks_as_the_data_pipeline_resizes_them(tmp_path):
    for old, new in (((16, 24), (16, 24)), ((37, 53), (16, 24)), ((9, 7), (24, 40))):
        mask = np.random.default_rng(0).random(old) < 0.5
        contents = encoded(Image.fromarray(np.uint8(mask)), "PNG")
        decoded = graph_decoding.decode_mask(tf.constant([contents, contents]), new).numpy()
        np.testing.assert_array_equal(decoded[1, ..., 0], pixels.resize_mask(mask, new), err_msg=f"{old} to {new}")
        assert decoded.shape == (2, *new, 1)
