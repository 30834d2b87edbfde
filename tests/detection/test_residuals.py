import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.detection import residuals
from fanogan_tf.detection.normality import Hidden


def seen(*maps):
    maps = [tf.constant(one, tf.float32) for one in maps]
    return Hidden(tf.zeros(len(maps[0])), tf.zeros((len(maps[0]), 1)), maps)


def test_block_residuals_by_hand():
    """Twenty positions of one channel, two of which differ: by 2 and by 1. The worst tenth are those two."""
    one = np.zeros((1, 4, 5, 1))
    other = one.copy()
    other[0, 1, 2] = 2.0
    other[0, 3, 3] = -1.0
    second = np.zeros((1, 2, 2, 2))
    third = second.copy()
    third[0, 0, 0] = [3.0, 1.0]
    means, worst = residuals.block_residuals(seen(one, second), seen(other, third))
    np.testing.assert_allclose(means, [[5 / 20, 5 / 4]])
    np.testing.assert_allclose(worst, [[5 / 2, 5.0]])


def test_residual_map_shows_where():
    one = np.zeros((1, 2, 2, 1))
    other = one.copy()
    other[0, 0, 1] = 2.0
    shown = residuals.residual_map(seen(one, one), seen(other, one), np.array([0.5, 9.0], np.float32), (8, 8)).numpy()
    assert shown.shape == (1, 8, 8, 1)
    # 4 / .5 in the upper right corner of the first block, nothing in the second; their mean.
    assert shown[0, 0, 7, 0] == pytest.approx(4.0) and shown[0, 7, 0, 0] == 0.0
    assert (shown[0, 0, :, 0] == np.sort(shown[0, 0, :, 0])).all()


def windows(images, size):
    return np.lib.stride_tricks.sliding_window_view(images[..., 0], (size, size), axis=(1, 2)).reshape(
        len(images), -1, size * size
    )


def test_local_correlation_by_numpy():
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (3, 12, 10, 1)).astype(np.float32)
    y = (0.5 * x + random.uniform(-0.5, 0.5, x.shape)).astype(np.float32)
    a, b = windows(x, 5), windows(y, 5)
    expected = [1 - np.mean([np.corrcoef(p, q)[0, 1] for p, q in zip(i, j, strict=True)]) for i, j in zip(a, b, strict=True)]
    np.testing.assert_allclose(residuals.local_correlation(x, y, 5), expected, atol=5e-3)


def test_brightness_and_contrast_do_not_count():
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (2, 20, 20, 1)).astype(np.float32)
    found = residuals.local_correlation(x, 0.4 * x + 0.3).numpy()
    assert found.max() < 0.01
    assert residuals.local_correlation(x, -x).numpy() == pytest.approx([2.0, 2.0], abs=0.02)


def test_without_contrast():
    flat, other = np.full((1, 16, 16, 1), -1.0, np.float32), np.full((1, 16, 16, 1), 0.2, np.float32)
    assert residuals.local_correlation(flat, flat).numpy() == pytest.approx([0.0], abs=1e-3)
    assert residuals.local_correlation(flat, other).numpy() == pytest.approx([0.0], abs=1e-3)
    # Smaller than the window: the whole image is one.
    small = np.random.default_rng(2).uniform(-1, 1, (1, 8, 8, 1)).astype(np.float32)
    assert residuals.local_correlation(small, small).numpy() == pytest.approx([0.0], abs=1e-3)


def test_images_that_are_nearly_alike_are_told_apart_precisely():
    """On a dark ground, as digits are: other runtimes sum in another order, and have to come to the same score."""
    random = np.random.default_rng(3)
    x = np.full((4, 20, 20, 1), -1.0)
    x[:, 6:14, 8:12] = random.uniform(0.5, 1, (4, 8, 4, 1))
    x, y = (images.astype(np.float32) for images in (x, x + random.normal(0, 0.02, x.shape)))
    a, b = (windows(images.astype(np.float64), 15) for images in (x, y))
    a, b = (values - values.mean(-1, keepdims=True) for values in (a, b))
    constant = 0.02**2
    correlation = ((a * b).mean(-1) + constant) / (np.sqrt(np.square(a).mean(-1) * np.square(b).mean(-1)) + constant)
    expected = 1 - np.clip(correlation, -1, 1).mean(-1)
    assert expected.max() < 0.02
    np.testing.assert_allclose(residuals.local_correlation(x, y), expected, rtol=1e-5)
