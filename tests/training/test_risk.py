"""Over many draws of the noise, an unbiased estimate is the truth on average."""

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.training import risk

DRAWS, SIDE = 4000, 6
CLEAN = np.random.default_rng(0).uniform(-0.8, 0.8, (1, SIDE, SIDE, 1)).astype(np.float32)
REGION = np.zeros((1, SIDE, SIDE, 1), np.float32)
REGION[:, 1:5, 2:] = 1.0
MIXING = tf.constant(np.random.default_rng(1).normal(0, 0.1, (SIDE**2, SIDE**2)) + np.eye(SIDE**2), tf.float32)


def restore(images):
    """Nonlinear, every pixel from all."""
    flat = tf.reshape(images, [-1, SIDE**2]) @ MIXING
    return tf.reshape(tf.tanh(flat) + 0.3 * tf.square(flat), [-1, SIDE, SIDE, 1])


def many(values):
    return np.repeat(values, DRAWS, axis=0)


def truth(restored):
    """The error that nobody who has not seen the clean image can compute."""
    return np.square(restored - (REGION * CLEAN - (1 - REGION))).mean(axis=(1, 2, 3))


def assert_unbiased(estimates, truths):
    difference = np.asarray(estimates, np.float64) - truths
    error = difference.std() / np.sqrt(DRAWS)
    assert abs(difference.mean()) < 4 * error
    # Fine enough to tell an estimate that leaves something out.
    assert error < 0.02 * truths.mean()


def test_gaussian():
    random = np.random.default_rng(2)
    noisy = (many(CLEAN) + random.normal(0, 0.3, (DRAWS, SIDE, SIDE, 1))).astype(np.float32)
    probe = random.normal(size=noisy.shape).astype(np.float32)
    restored = restore(noisy)
    found = risk.gaussian(restore, restored, noisy, many(REGION), 0.3, probe)
    assert_unbiased(found, truth(restored))
    naive = risk.squared_error(restored, noisy, many(REGION)).numpy() - truth(restored)
    assert abs(naive.mean()) > 20 * abs(np.mean(found - truth(restored)))


def test_poisson_gaussian():
    random = np.random.default_rng(3)
    gain, sigma = 0.05, 0.15
    counts = random.poisson(many(CLEAN + 1) / gain)
    noisy = (gain * counts - 1 + random.normal(0, sigma, counts.shape)).astype(np.float32)
    probe = random.normal(size=noisy.shape).astype(np.float32)
    skewed = risk.skewed_draw(tf.constant(random.uniform(size=noisy.shape), tf.float32))
    restored = restore(noisy)
    found = risk.poisson_gaussian(restore, restored, noisy, many(REGION), sigma, gain, probe, skewed)
    assert_unbiased(found, truth(restored))


def test_without_photons_it_is_the_gaussian_one():
    random = np.random.default_rng(4)
    noisy, probe = (random.normal(size=(3, SIDE, SIDE, 1)).astype(np.float32) for _ in range(2))
    region = np.repeat(REGION, 3, axis=0)
    both = (
        risk.gaussian(restore, restore(noisy), noisy, region, 0.2, probe),
        risk.poisson_gaussian(restore, restore(noisy), noisy, region, 0.2, 0.0, probe, tf.ones_like(noisy)),
    )
    np.testing.assert_allclose(*both, rtol=1e-5)


def test_by_hand():
    """h doubles every pixel: the divergence is twice the number of pixels of the region."""
    images = tf.constant([[[[0.5], [0.25]], [[-0.5], [0.0]]]])
    region = tf.constant([[[[1.0], [1.0]], [[0.0], [0.0]]]])
    restored = 2.0 * images
    # Against 0.5, 0.25, -1, -1: 0.25 + 0.0625 + 0 + 1.
    np.testing.assert_allclose(risk.squared_error(restored, images, region), [1.3125 / 4], rtol=1e-6)
    found = risk.gaussian(lambda x: 2.0 * x, restored, images, region, 0.1, tf.ones_like(images))
    np.testing.assert_allclose(found, [(1.3125 - 0.01 * 2 + 2 * 0.01 * 2 * 2) / 4], rtol=1e-4)


def test_skewed_draw():
    drawn = risk.skewed_draw(tf.random.stateless_uniform([400_000], (0, 0))).numpy()
    assert [np.mean(drawn**power) for power in (1, 2, 3)] == pytest.approx([0, 1, 1], abs=0.02)


def smooth(count=4):
    return np.tile(np.linspace(-0.9, 0.9, 64, dtype=np.float32)[None, :, None, None], (count, 1, 64, 1))


def test_gaussian_noise_of_smooth_images():
    noisy = smooth() + np.random.default_rng(5).normal(0, 0.05, smooth().shape)
    assert risk.gaussian_noise(noisy) == pytest.approx(0.05, rel=0.05)
    assert risk.gaussian_noise(smooth()) == pytest.approx(0.0, abs=1e-6)


def test_mixed_noise_of_smooth_images():
    random = np.random.default_rng(6)
    for sigma, gain in ((0.0, 0.004), (0.05, 0.0), (0.04, 0.004)):
        clean = smooth(40)
        counts = gain * random.poisson((clean + 1) / gain) - 1 if gain else clean
        found = risk.mixed_noise(counts + random.normal(0, sigma, clean.shape))
        assert found == pytest.approx((sigma, gain), rel=0.15, abs=0.005)


def test_noise_inside_the_regions_alone():
    random = np.random.default_rng(6)
    images, regions = np.zeros((40, 32, 32, 1)), np.zeros((40, 32, 32, 1))
    regions[:, :, :16] = 1.0
    images[:, :, :16] += random.normal(0, 0.02, (40, 32, 16, 1))
    images[:, :, 16:] += random.normal(0, 0.5, (40, 32, 16, 1))
    assert risk.gaussian_noise(images, regions) == pytest.approx(0.02, rel=0.08)
    nowhere = np.zeros_like(regions)
    assert risk.gaussian_noise(images, nowhere) == 0.0 and risk.mixed_noise(images, nowhere) == (0.0, 0.0)


def test_odd_sides():
    noisy = np.random.default_rng(7).normal(0, 0.1, (9, 33, 31, 1))
    assert risk.gaussian_noise(noisy) == pytest.approx(0.1, rel=0.1)
