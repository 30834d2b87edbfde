"""Encoded images to grey values, in the graph: what the data pipeline does with the same bytes.

EXIF orientation and scaling to [-1, 1] are exact. Resizing has Pillow's weights and rounding, which TensorFlow's own has not; it
differs by one level of 65535 in few pixels.
"""

import tensorflow as tf

from fanogan_tf.data.pixels import resize_in_graph

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_APP1, _SCAN, _ORIENTATION = 0xE1, 0xDA, 0x0112
_NAME = list(b"Exif\0\0")


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
        lambda one: resize_in_graph(_grey(one), size)[..., tf.newaxis],
        contents,
        fn_output_signature=tf.TensorSpec((*size, 1), tf.float32),
    )


def decode_mask(contents: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Decodes PNG or JPEG strings (B,) of masks, nonzero where they are set: (B, H, W, 1) float32, 0 or 1.

    As `pixels.resize_mask`: a pixel is set where at least half of what it covers was set.
    """
    return tf.map_fn(
        lambda one: tf.cast(resize_in_graph(255.0 * tf.cast(_grey(one) > 0.0, tf.float32), size) >= 128.0, tf.float32)[
            ..., tf.newaxis
        ],
        contents,
        fn_output_signature=tf.TensorSpec((*size, 1), tf.float32),
    )


def to_levels(image: tf.Tensor) -> tf.Tensor:
    """Grey levels (B, H, W, 1) float32 in [0, 255] -> those of 16 bits, in [0, 65535].

    Raises, in the graph:
      InvalidArgumentError: a value is outside of [0, 255], or NaN. Of an image scaled otherwise a score means nothing.
    """
    fitting = tf.reduce_all((image >= 0.0) & (image <= 255.0))
    with tf.control_dependencies([tf.debugging.Assert(fitting, ["image: grey levels must be in [0, 255]"])]):
        return image * 257.0


def sixteen_bits_to_signed(values: tf.Tensor) -> tf.Tensor:
    """Whole numbers (...) float32 in [0, 65535] -> float32 in [-1, 1].

    Of an image of 8 bits, or of 16, comes to the last bit what `pixels.to_signed` says.
    """
    # TensorFlow turns a division by a constant into a product with its inverse, which is not always the same: so by no constant.
    return values / tf.where(values >= 0.0, 32767.5, 1.0) - 1.0


def to_region(values: tf.Tensor) -> tf.Tensor:
    """Any pixels (B, H, W, 1) -> float32, 1 where they are above 0, else 0."""
    return tf.cast(values > 0.0, tf.float32)


def orientation(contents: tf.Tensor) -> tf.Tensor:
    """A JPEG string, () -> () int64 in 1 .. 8; 1, as it is stored, where the file does not say or its EXIF is damaged."""
    stored = tf.io.decode_raw(contents, tf.uint8)
    end = tf.size(stored, tf.int64)
    data = tf.concat([stored, [0]], axis=0)

    def byte(at: tf.Tensor) -> tf.Tensor:
        """0 outside of the file."""
        return tf.cast(tf.gather(data, tf.where((at >= 0) & (at < end), at, end)), tf.int64)

    def big(at: tf.Tensor) -> tf.Tensor:
        return 256 * byte(at) + byte(at + 1)

    def is_exif(at: tf.Tensor) -> tf.Tensor:
        return (byte(at + 1) == _APP1) & tf.reduce_all(byte(at + 4 + tf.range(6, dtype=tf.int64)) == _NAME)

    # From marker to marker: ff, its kind, the length of what follows with the two bytes of that length.
    def going_on(at: tf.Tensor) -> tf.Tensor:
        return (byte(at) == 0xFF) & (byte(at + 1) != _SCAN) & ~is_exif(at)

    (segment,) = tf.while_loop(going_on, lambda at: (at + 2 + big(at + 2),), (tf.constant(2, tf.int64),))

    # There a TIFF header: the order of bytes, and where the list of entries is, each of 12 bytes.
    header = segment + 10
    little = byte(header) == ord("I")

    def short(at: tf.Tensor) -> tf.Tensor:
        return tf.where(little, byte(at) + 256 * byte(at + 1), big(at))

    def long(at: tf.Tensor) -> tf.Tensor:
        return tf.where(little, short(at) + 65536 * short(at + 2), 65536 * short(at) + short(at + 2))

    first = header + long(header + 4)
    entries = first + 2 + 12 * tf.range(short(first))
    values = tf.boolean_mask(short(entries + 8), short(entries) == _ORIENTATION)
    value = tf.concat([values, [1]], axis=0)[0]
    return tf.where(is_exif(segment) & (value >= 1) & (value <= 8), value, tf.constant(1, tf.int64))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """(h, w) -> (h, w) or (w, h): what Pillow's `exif_transpose` does."""

    def any_of(*orientations: int) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(orientations, tf.int64))

    image = tf.cond(orientation >= 5, lambda: tf.transpose(image), lambda: image)
    image = tf.cond(any_of(2, 3, 6, 7), lambda: image[:, ::-1], lambda: image)
    return tf.cond(any_of(3, 4, 7, 8), lambda: image[::-1], lambda: image)


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
    return upright(grey, orientation(contents))


def _from_png(contents: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.int32)
    # Of grey alone Pillow keeps 16 bits; of all else the upper 8. Of 8 bits the upper and the lower half are the same.
    grey = lambda: tf.cast(pixels[..., 0], tf.float32)  # noqa: E731
    return tf.cond(tf.shape(pixels)[-1] == 1, grey, lambda: 257.0 * tf.cast(_luminance(pixels // 256), tf.float32))


def _luminance(pixels: tf.Tensor) -> tf.Tensor:
    """(h, w, 1 to 4) int32 in 0 .. 255 -> (h, w): ITU-R 601-2 in Pillow's integers; of one or two channels the first."""
    colour = lambda: tf.tensordot(pixels[..., :3], tf.constant([19595, 38470, 7471]), 1)  # noqa: E731
    return tf.cond(tf.shape(pixels)[-1] >= 3, lambda: (colour() + 0x8000) // 0x10000, lambda: pixels[..., 0])
