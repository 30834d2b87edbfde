"""The EXIF orientation of a JPEG, read and applied in the graph: a camera's image must not be scored lying on its side."""

import tensorflow as tf

_APP1, _SCAN, _ORIENTATION = 0xE1, 0xDA, 0x0112
_NAME = list(b"Exif\0\0")


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
