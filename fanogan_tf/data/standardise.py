"""Grey levels and sharpness of each image by itself, so that scanners and exposures compare: `--standardise`, `--sharpness`.

In TensorFlow, because an exported model does it too.
"""

import numpy as np
import tensorflow as tf

# How far from its mean an image's grey levels reach, in standard deviations, before they are cut off.
DEVIATIONS = 3.0
# Which of an image's grey levels, in percent from the darkest on, become -1 and 1.
PERCENTILES = (1.0, 99.0)
# Contrast-limited adaptive histogram equalisation (Zuiderveld 1994): tiles per side, grey levels, and how often a level may come
# in a tile, in multiples of what it would be were all equally frequent.
TILES, LEVELS, CLIP_LIMIT = 4, 256, 2.0
# At most so many blurs one after the other, each with a deviation of .7 pixels; together 2.8.
BLURS = 16
_BLUR = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32)[..., None, None] / 16.0
_LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)[..., None, None]


def standardised(images: tf.Tensor, how: str, sharpness: float = 0.0) -> tf.Tensor:
    """Brings the sharpness of each image to a bound, and its grey levels to a range of their own.

    Args:
      images: (B, H, W, 1) float32 in [-1, 1].
      sharpness: see `blurred`; 0 leaves it as it is.
      how: `none`; `image`, three standard deviations to either side of its mean; `percentile`, from its 1st to its 99th; `clahe`,
        levels equalised within tiles.

    Returns:
      the same shape, in [-1, 1]. An image of one grey level becomes 0, with `clahe` of one level.

    Raises:
      ValueError: no such way.
    """
    if sharpness:
        images = blurred(images, sharpness)
    if how == "none":
        return images
    if how == "image":
        mean, variance = tf.nn.moments(images, axes=[1, 2, 3], keepdims=True)
        return tf.clip_by_value(_divided(images - mean, DEVIATIONS * tf.sqrt(variance)), -1.0, 1.0)
    if how == "percentile":
        low, high = (_percentile(images, percent) for percent in PERCENTILES)
        return tf.clip_by_value(_divided(2.0 * images - low - high, high - low), -1.0, 1.0)
    if how == "clahe":
        return _equalised(images)
    raise ValueError(f"unknown way to standardise {how!r}")


def blurred(images: tf.Tensor, sharpness: float) -> tf.Tensor:
    """Blurs each image just so far that its mean square Laplacian is at most `sharpness` times its variance: the same shape.

    Both are those of the grey levels, so that brightness and contrast make no difference. Smooth images stay as they are.
    """
    variance = tf.math.reduce_variance(images, axis=[1, 2, 3], keepdims=True)
    goal = sharpness * variance
    energy = sharp_energy(images)
    for _ in range(BLURS):
        softer = tf.nn.conv2d(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC"), _BLUR, 1, "VALID")
        least = sharp_energy(softer)
        # Between the two the energy is convex: it is no more than the goal where a straight line would reach it.
        share = tf.clip_by_value(_divided(energy - goal, energy - least), 0.0, 1.0)
        images = images + share * (softer - images)
        energy = sharp_energy(images)
    return images


def sharp_energy(images: tf.Tensor) -> tf.Tensor:
    """The mean square Laplacian of each image: (B, 1, 1, 1)."""
    return tf.reduce_mean(tf.square(tf.nn.conv2d(images, _LAPLACIAN, 1, "VALID")), axis=[1, 2, 3], keepdims=True)


def _divided(values: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    # Less than a hundredth of a grey level of 8 bits is no contrast but rounding.
    return tf.where(by > 1e-4, values / tf.maximum(by, 1e-4), 0.0)


def _percentile(images: tf.Tensor, percent: float) -> tf.Tensor:
    """The nearest grey level that there is: (B, 1, 1, 1)."""
    pixels = tf.sort(tf.reshape(images, [tf.shape(images)[0], images.shape[1] * images.shape[2]]), axis=1)
    place = round(percent / 100.0 * (images.shape[1] * images.shape[2] - 1))
    return pixels[:, place][:, None, None, None]


def _equalised(images: tf.Tensor) -> tf.Tensor:
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    tall, wide = -(-height // TILES), -(-width // TILES)
    levels = tf.cast(tf.round((tf.clip_by_value(images[..., 0], -1.0, 1.0) + 1.0) / 2.0 * (LEVELS - 1)), tf.int32)
    # Where the tiles reach over the border, they see the image mirrored.
    whole = tf.pad(levels, [[0, 0], [0, TILES * tall - height], [0, TILES * wide - width]], "SYMMETRIC")
    tiles = tf.transpose(tf.reshape(whole, [count, TILES, tall, TILES, wide]), [0, 1, 3, 2, 4])
    number = tf.reshape(tf.range(count * TILES * TILES), [count, TILES, TILES, 1, 1])
    places = tf.reshape(number * LEVELS + tiles, [-1])
    often = tf.math.unsorted_segment_sum(tf.ones_like(places, tf.float32), places, count * TILES * TILES * LEVELS)
    often = tf.reshape(often, [-1, LEVELS])
    most = CLIP_LIMIT * tall * wide / LEVELS
    clipped = tf.minimum(often, most)
    # What was cut off is spread over all levels, so that a tile's shares add up to 1.
    shared = tf.reduce_sum(often - clipped, axis=1, keepdims=True) / LEVELS
    shares = tf.cumsum((clipped + shared) / (tall * wide), axis=1)

    def neighbours(length: int, side: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Of each row or column the tile before, the tile behind, and how far it is on the way between their centres."""
        along = (tf.range(length, dtype=tf.float32) + 0.5) / side - 0.5
        before = tf.floor(along)
        inside = lambda tile: tf.clip_by_value(tf.cast(tile, tf.int32), 0, TILES - 1)  # noqa: E731
        return inside(before), inside(before + 1.0), along - before

    above, below, down = neighbours(height, tall)
    left, right, across = neighbours(width, wide)
    first = tf.range(count)[:, None, None] * TILES * TILES

    def share(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        tile = first + row[None, :, None] * TILES + column[None, None, :]
        return tf.gather(tf.reshape(shares, [-1]), tile * LEVELS + levels)

    down, across = down[None, :, None], across[None, None, :]
    upper = (1.0 - across) * share(above, left) + across * share(above, right)
    lower = (1.0 - across) * share(below, left) + across * share(below, right)
    return (2.0 * ((1.0 - down) * upper + down * lower) - 1.0)[..., None]
