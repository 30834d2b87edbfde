import math

import numpy as np
import pytest

from fanogan_tf.oct.phantom.speckle import speckle

NONE, SPREAD = (0.0, 0.0), (1.81, 1.24)


def make(averaging, widths=NONE, seed=0, shape=(400, 500)):
    return speckle(np.random.default_rng(seed), shape, averaging, widths)


@pytest.mark.parametrize("widths", [NONE, SPREAD])
def test_one_pattern_is_rayleigh(widths):
    amplitude = make(1, widths).astype(np.float64)
    assert amplitude.mean() == pytest.approx(1.0, abs=0.01)
    assert amplitude.mean() / amplitude.std() == pytest.approx(math.sqrt(math.pi / (4 - math.pi)), rel=0.02)
    # Rayleigh with mean 1: P(a > t) = exp(-pi t^2 / 4), the tail too.
    for threshold in (0.2, 1.0, 2.5):
        assert np.mean(amplitude > threshold) == pytest.approx(math.exp(-math.pi * threshold**2 / 4), rel=0.08)


@pytest.mark.parametrize("number", [4, 9])
def test_averaging_divides_the_variance(number):
    assert make(1, SPREAD).var() / make(number, SPREAD, seed=1).var() == pytest.approx(number, rel=0.05)
    assert make(number, SPREAD).mean() == pytest.approx(1.0, abs=0.01)


def test_point_spread_correlates_the_pattern():
    def correlation(pattern, axis):
        one, other = (pattern[:-1], pattern[1:]) if axis == 0 else (pattern[:, :-1], pattern[:, 1:])
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    assert abs(correlation(make(1), 0)) < 0.02 and abs(correlation(make(1), 1)) < 0.02
    only_down = make(1, (1.81, 0.0))
    # The field's correlation at one pixel is exp(-1 / 4 d^2), d = 1.087; squared it is the intensity's, near the amplitude's.
    assert correlation(only_down, 0) == pytest.approx(math.exp(-1 / (2 * 1.087**2)), abs=0.05)
    assert abs(correlation(only_down, 1)) < 0.02
    assert correlation(make(1, SPREAD), 1) > 0.3


def test_shape_type_and_seed():
    pattern = make(2, SPREAD, shape=(7, 1))
    assert pattern.shape == (7, 1) and pattern.dtype == np.float32
    np.testing.assert_array_equal(pattern, make(2, SPREAD, shape=(7, 1)))
    assert not np.array_equal(pattern, make(2, SPREAD, seed=1, shape=(7, 1)))
