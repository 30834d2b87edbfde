import numpy as np
import tensorflow as tf

from fanogan_tf.data import pixels
from fanogan_tf.training import monitoring
from tests.helpers.tiny import SPEC, images


class Painter:
    """A generator of flat images: the first coordinate is their brightness."""

    def __init__(self):
        self.seen = []

    def __call__(self, z, training):
        assert training is False
        z = tf.convert_to_tensor(z)
        self.seen.append(z.numpy())
        return tf.tile(tf.tanh(z[:, :1])[:, None, None], (1, 8, 8, 1))


class Meter:
    """An encoder: the mean brightness, undone."""

    def __call__(self, images, training):
        assert training is False
        return tf.atanh(tf.reduce_mean(images, axis=(1, 2, 3)))[:, None] * tf.constant([[1.0, 0.0, 0.0]])


def flat(*values):
    return np.full((len(values), 8, 8, 1), np.array(values, np.float32)[:, None, None, None])


def test_between():
    lines = monitoring.between(tf.constant([[0.0, 9.0], [1.0, 1.0]]), tf.constant([[9.0, 0.0], [1.0, 10.0]])).numpy()
    np.testing.assert_allclose(lines[:10], np.stack([np.arange(10), 9 - np.arange(10)], 1), atol=1e-5)
    np.testing.assert_allclose(lines[10:], np.stack([np.ones(10), 1 + np.arange(10)], 1), atol=1e-5)


def test_generated_images_are_of_the_same_z_every_time():
    painter = Painter()
    draw, other = monitoring.generated(painter, 3, seed=1), monitoring.generated(painter, 3, seed=2)
    sheet = draw()
    assert sheet.shape == (8 * 10 - 2, 8 * 10 - 2)
    draw()
    other()
    first, again, different = painter.seen
    np.testing.assert_array_equal(first, again)
    assert first.shape == (64, 3) and len(np.unique(first)) == 192 and not np.isin(different, first).any()
    np.testing.assert_array_equal(sheet, pixels.tile(painter(first, training=False).numpy(), 8))


def test_sheets_show_the_networks_as_they_are():
    generator = SPEC.generator()
    draw = monitoring.generated(generator, 3, seed=0)
    before = draw()
    np.testing.assert_array_equal(draw(), before)
    generator.conv.bias.assign([9.0])
    assert np.all(draw() == 255) and not np.all(before == 255)


def test_interpolated():
    painter = Painter()
    sheet = monitoring.interpolated(painter, 3, seed=1)()
    assert sheet.shape == (8 * 10 - 2, 10 * 10 - 2)
    z = painter.seen[0].reshape(8, 10, 3)
    np.testing.assert_allclose(np.diff(z, axis=1), np.repeat((z[:, -1:] - z[:, :1]) / 9, 9, axis=1), atol=1e-5)
    assert len(np.unique(z[:, [0, -1]])) == 48


def test_interpolated_encodings():
    """Rows from the first half of the images to the second, the real ones at the ends."""
    pictures = flat(-0.5, 0.0, 0.5, 0.9)
    pictures[:, 0, 0] = 1.0
    meter = Meter()
    sheet = monitoring.interpolated_encodings(meter, Painter(), pictures)()
    assert sheet.shape == (2 * 10 - 2, 12 * 10 - 2)
    tiles = [[sheet[10 * row : 10 * row + 8, 10 * column : 10 * column + 8] for column in range(12)] for row in range(2)]
    for row, (first, last) in enumerate([(0, 2), (1, 3)]):
        np.testing.assert_array_equal(tiles[row][0], pixels.to_grey(pictures[first])[..., 0])
        np.testing.assert_array_equal(tiles[row][11], pixels.to_grey(pictures[last])[..., 0])
        ends = np.arctanh(pictures[[first, last]].mean((1, 2, 3)))
        shown = [tile[3, 3] for tile in tiles[row][1:11]]
        np.testing.assert_allclose(shown, (np.tanh(np.linspace(*ends, 10)) + 1) * 127.5, atol=1)


def test_restored():
    pictures = flat(-0.5, 0.5)
    pictures[:, :4] += 0.25
    sheet = monitoring.restored(lambda images: Painter()(Meter()(images, training=False), training=False), pictures)()
    assert sheet.shape == (3 * 10 - 2, 2 * 10 - 2)
    # Means -0.375 and 0.625; the map is the distance from them, 0.125 everywhere, on the scale 0 .. 2.
    np.testing.assert_array_equal(sheet[:8, :8], pixels.to_grey(pictures[0])[..., 0])
    np.testing.assert_allclose(sheet[10:18, 10:18].astype(int), 1.625 * 127.5, atol=1)
    np.testing.assert_allclose(sheet[20:28, :8].astype(int), 0.125 * 127.5, atol=1)


def test_restored_by_networks():
    encoder, generator, some = SPEC.encoder(), SPEC.generator(), images(0, 3).numpy()
    sheet = monitoring.restored(lambda images: generator(encoder(images, training=False), training=False), some)()
    outputs = generator(encoder(some)).numpy()
    np.testing.assert_array_equal(sheet, pixels.tile(np.concatenate([some, outputs, np.abs(some - outputs) - 1]), 3))
