"""Grey levels and sharpness of each image by itself, so that scanners and exposures compare: `--standardise`, `--sharpness`.

In TensorFlow, because an exported model does it too.
"""

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
    """Blurs each image until its mean square Laplacian is `sharpness` times the variance that it had: the same shape.

    Both are those of the grey levels, so that brightness and contrast make no difference. Smoother images stay as they are.
    """
    goal = sharpness * tf.math.reduce_variance(images, axis=[1, 2, 3], keepdims=True)
    edges = _laplacian(images)
    for _ in range(BLURS):
        softer = _softer(images)
        softer_edges = _laplacian(softer)
        share = _share(_mean(edges * edges), _mean(edges * softer_edges), _mean(softer_edges * softer_edges), goal)
        images = images + share * (softer - images)
        edges = edges + share * (softer_edges - edges)
    return images


def _share(sharp: tf.Tensor, both: tf.Tensor, soft: tf.Tensor, goal: tf.Tensor) -> tf.Tensor:
    """How far to go from one image to another for a mean square Laplacian of `goal`: 0 where the first is as soft, at most 1.

    sharp, both, soft: the means of l l, l m and m m, of the Laplacians l and m; that of l + a (m - l) is quadratic in a.
    """
    half, excess = sharp - both, sharp - goal
    # The nearer of its two roots, by the form that takes no difference of nearly equal numbers.
    root = tf.sqrt(tf.nn.relu(tf.square(half) - (sharp - 2.0 * both + soft) * excess))
    return tf.where(excess > 0.0, tf.where(soft < goal, excess / tf.maximum(half + root, 1e-20), 1.0), 0.0)


def _mean(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(values, axis=[1, 2, 3], keepdims=True)


def _laplacian(images: tf.Tensor) -> tf.Tensor:
    """(B, H, W, 1) -> (B, H - 2, W - 2, 1)."""
    beside = images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    return 4.0 * images[:, 1:-1, 1:-1] - beside


def _softer(images: tf.Tensor) -> tf.Tensor:
    """Each pixel's mean with its neighbours, of weights 1, 2, 1 down and across; by sums, which are faster than a convolution."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    rows = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    return (rows[:, :, :-2] + 2.0 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16.0


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
