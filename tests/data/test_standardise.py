import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from fanogan_tf.data.standardise import BLURS, CLIP_LIMIT, LEVELS, TILES, blurred, standardised


def noise(shape, seed=0, low=-1.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def made(images, how):
    return standardised(tf.constant(images), how).numpy()


def test_none_changes_nothing():
    images = noise((2, 8, 8, 1))
    np.testing.assert_array_equal(made(images, "none"), images)


def test_three_standard_deviations():
    images = noise((3, 8, 10, 1), low=-0.4, high=0.1)
    expected = [(one - one.mean()) / (3 * one.std()) for one in images]
    np.testing.assert_allclose(made(images, "image"), expected, atol=1e-5)


def test_what_lies_farther_is_cut_off():
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[0, 3, 3] = 0.5
    assert made(image, "image").max() == 1.0


def test_percentiles():
    image = np.linspace(-0.5, 0.5, 101, dtype=np.float32)
    np.random.default_rng(0).shuffle(image)
    found = made(image.reshape(1, 101, 1, 1), "percentile").ravel()
    # The second level from either end becomes -1 and 1, and the last ones are cut off there.
    np.testing.assert_allclose(found, np.clip(image / 0.49, -1, 1), atol=1e-5)


@pytest.mark.parametrize("how", ["image", "percentile"])
def test_exposure_does_not_count(how):
    """The same picture, half as bright and with half the contrast."""
    images = noise((2, 8, 8, 1))
    np.testing.assert_allclose(made(0.5 * images - 0.3, how), made(images, how), atol=1e-5)


@pytest.mark.parametrize("how", ["image", "percentile", "clahe"])
def test_one_grey_level(how):
    found = made(np.full((1, 8, 8, 1), 0.7, np.float32), how)
    assert np.ptp(found) < 1e-6 and np.abs(found).max() <= 1.0


@pytest.mark.parametrize("how", ["image", "percentile", "clahe"])
def test_each_image_by_itself(how):
    images = noise((3, 16, 20, 1))
    np.testing.assert_allclose(made(images, how)[1], made(images[1:2], how)[0], atol=1e-6)


def laplacian_over_variance(images):
    """By NumPy, of images (B, H, W, 1): (B,)."""
    x = images[..., 0].astype(np.float64)
    sides = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return np.square(4 * x[:, 1:-1, 1:-1] - sides).mean(axis=(1, 2)) / x.var(axis=(1, 2))


def softened(image, times):
    """(H, W), blurred by SciPy."""
    weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
    for _ in range(times):
        image = ndimage.convolve(image, weights, mode="reflect")
    return image


def test_sharpness_comes_to_its_bound():
    """Images between noise and a smooth slope: the sharper ones come to the bound, and the smooth ones stay as they are."""
    slope = np.linspace(-0.5, 0.5, 16, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 20, 1), np.float32)
    images = slope + np.array([0, 0.02, 0.1, 0.3], np.float32)[:, None, None, None] * noise((4, 16, 20, 1))
    before, found = laplacian_over_variance(images), blurred(tf.constant(images), 0.25).numpy()
    sharp = before > 0.25
    np.testing.assert_array_equal(sharp, [False, False, True, True])
    np.testing.assert_array_equal(found[~sharp], images[~sharp])
    # Of the variance before the blur.
    after = laplacian_over_variance(found)[sharp] * found[sharp].var(axis=(1, 2, 3)) / images[sharp].var(axis=(1, 2, 3))
    np.testing.assert_allclose(after, 0.25, rtol=1e-4)


def test_as_soft_as_it_gets():
    image = noise((1, 16, 20, 1))
    expected = softened(image[0, ..., 0].astype(np.float64), BLURS)
    np.testing.assert_allclose(blurred(tf.constant(image), 1e-9).numpy()[0, ..., 0], expected, atol=1e-5)


def test_sharpness_goes_before_the_grey_levels():
    image = 0.3 * noise((2, 16, 20, 1))
    soft = blurred(tf.constant(image), 0.5).numpy()
    assert np.abs(soft - image).max() > 0.01
    np.testing.assert_array_equal(standardised(tf.constant(image), "image", 0.5).numpy(), made(soft, "image"))
    np.testing.assert_array_equal(standardised(tf.constant(image), "none", 0.5).numpy(), soft)


def test_brightness_and_contrast_change_no_blur():
    image = noise((2, 16, 20, 1))
    expected = 0.5 * blurred(tf.constant(image), 0.5).numpy() - 0.3
    np.testing.assert_allclose(blurred(tf.constant(0.5 * image - 0.3), 0.5).numpy(), expected, atol=1e-5)


def equalised(image):
    """CLAHE in loops, for an image whose sides are multiples of TILES."""
    height, width = image.shape
    tall, wide = height // TILES, width // TILES
    levels = np.rint((image.astype(np.float32) + 1) / 2 * (LEVELS - 1)).astype(int)
    curves = np.empty((TILES, TILES, LEVELS))
    for row in range(TILES):
        for column in range(TILES):
            tile = levels[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            often = np.bincount(tile.ravel(), minlength=LEVELS).astype(float)
            clipped = np.minimum(often, CLIP_LIMIT * tile.size / LEVELS)
            clipped += (often - clipped).sum() / LEVELS
            curves[row, column] = np.cumsum(clipped) / tile.size
    centres = [(np.arange(TILES) + 0.5) * side - 0.5 for side in (tall, wide)]
    found = np.empty(image.shape)
    for y in range(height):
        for x in range(width):
            of_level = curves[:, :, levels[y, x]]
            across = [np.interp(x, centres[1], of_level[row]) for row in range(TILES)]
            found[y, x] = 2 * np.interp(y, centres[0], across) - 1
    return found


@pytest.mark.parametrize("shape", [(16, 16), (24, 40)])
def test_equalised_as_in_loops(shape):
    image = np.tanh(noise((1, *shape, 1), low=-2, high=1))
    np.testing.assert_allclose(made(image, "clahe")[0, ..., 0], equalised(image[0, ..., 0]), atol=1e-4)


def test_sides_that_tiles_do_not_divide():
    found = made(noise((2, 10, 13, 1)), "clahe")
    assert found.shape == (2, 10, 13, 1) and np.abs(found).max() <= 1.0001


def test_unknown():
    with pytest.raises(ValueError, match="polish"):
        made(noise((1, 8, 8, 1)), "polish")
