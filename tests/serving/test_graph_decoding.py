import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fanogan_tf.data import pixels as image_size
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
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


FILES = {f"{mode}.png": png(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")}
FILES |= {f"{mode}-{q}.jpg": encoded(image(mode), "JPEG", quality=q) for mode in ("L", "RGB") for q in (60, 95)}
FILES |= {f"sampled-{s}.jpg": encoded(image("RGB"), "JPEG", subsampling=s) for s in (0, 1, 2)}
FILES |= {"LA-16.png": png_of_16_bits(2, 4), "RGB-16.png": png_of_16_bits(3, 2), "RGBA-16.png": png_of_16_bits(4, 6)}
FILES["progressive.jpg"] = encoded(image("RGB"), "JPEG", progressive=True)
FILES["small.png"], FILES["right.png"] = png("RGB", height=5, width=3), png("RGB", height=16, width=24)


@pytest.mark.parametrize("name", FILES)
def test_as_read_from_a_file(decode, tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    expected = image_size.resize(read_image(tmp_path / name), SIZE).astype(np.float32)
    decoded = decode(tf.constant([FILES[name]])).numpy()[0, ..., 0]
    assert np.abs(decoded - expected).max() <= 1  # Of 65535.
    assert (decoded != expected).mean() < 0.01


def test_several_sizes_and_formats_in_one_batch(decode):
    together = decode(tf.constant(list(FILES.values()))).numpy()
    apart = [decode(tf.constant([contents])).numpy()[0] for contents in FILES.values()]
    np.testing.assert_array_equal(together, apart)


def test_none(decode):
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


@pytest.mark.parametrize("contents", BROKEN.values(), ids=BROKEN)
def test_broken_ones_are_refused(decode, contents):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant([FILES["L.png"], contents]))
