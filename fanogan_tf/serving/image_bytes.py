"""Encoded images to grey values in the graph: what `decode.read_image` and `image_size.resize` do with the same bytes."""

import tensorflow as tf

from fanogan_tf.serving import exif
from fanogan_tf.serving.resizing import resize

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def decode(contents: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """PNG or JPEG strings (B,), each of any size, grey or colour -> (B, H, W, 1) float32, whole numbers in 0 .. 65535.

    As everywhere: colour becomes luminance, transparency is dropped, the EXIF orientation is applied, 8-bit v becomes v * 257.
    Not quite the same: one level of 65535 in few pixels of some resized images; one of 255 in JPEGs in CMYK; an orientation in a
    PNG is not seen.

    Args:
      size: (H, W) wanted.

    Raises, in the graph:
      InvalidArgumentError: one of them is neither, or damaged.
    """
    return tf.map_fn(
        lambda one: resize(_grey(one), size)[..., tf.newaxis],
        contents,
        fn_output_signature=tf.TensorSpec((*size, 1), tf.float32),
    )


def _grey(contents: tf.Tensor) -> tf.Tensor:
    """One encoded image -> (h, w) float32 in 0 .. 65535."""
    is_png = tf.strings.substr(contents, 0, len(_PNG)) == _PNG
    is_jpeg = tf.strings.substr(contents, 0, len(_JPEG)) == _JPEG
    with tf.control_dependencies([tf.debugging.Assert(is_png | is_jpeg, ["image_bytes: neither PNG nor JPEG"])]):
        return tf.cond(is_jpeg, lambda: _from_jpeg(contents), lambda: _from_png(contents))


def _from_jpeg(contents: tf.Tensor) -> tf.Tensor:
    # The slower transform is the one that Pillow has.
    pixels = tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE")
    grey = 257.0 * tf.cast(_luminance(tf.cast(pixels, tf.int32)), tf.float32)
    return exif.upright(grey, exif.orientation(contents))


def _from_png(contents: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.int32)
    # Of grey alone Pillow keeps 16 bits; of all else the upper 8. Of 8 bits the upper and the lower half are the same.
    grey = lambda: tf.cast(pixels[..., 0], tf.float32)  # noqa: E731
    return tf.cond(tf.shape(pixels)[-1] == 1, grey, lambda: 257.0 * tf.cast(_luminance(pixels // 256), tf.float32))


def _luminance(pixels: tf.Tensor) -> tf.Tensor:
    """(h, w, 1 to 4) int32 in 0 .. 255 -> (h, w): ITU-R 601-2 in Pillow's integers; of one or two channels the first."""
    colour = lambda: tf.tensordot(pixels[..., :3], tf.constant([19595, 38470, 7471]), 1)  # noqa: E731
    return tf.cond(tf.shape(pixels)[-1] >= 3, lambda: (colour() + 0x8000) // 0x10000, lambda: pixels[..., 0])
