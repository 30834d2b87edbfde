import numpy as np
import pytest

from fanogan_tf.oct.surfaces.bruchs_membrane import smooth_bottom

PITCHES = (123.0, 90.0)


def course(scans, width):
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, scans)[:, None]
    return 300 + 20 * x + 15 * x**2 - 6 * y + 5 * x * y


def test_passes_below_what_is_lifted_off():
    truth = course(25, 64)
    rows = truth + np.random.default_rng(0).normal(0, 1.0, truth.shape)
    rows[8:18, 15:40] -= 40.0 * np.sin(np.linspace(0, np.pi, 25))
    found = smooth_bottom(rows, np.arange(25), PITCHES, 4.0)
    assert np.abs(found - truth).max() < 3.0


def test_follows_the_motion_of_the_eye_but_not_one_misread_b_scan():
    truth = course(25, 64)
    truth[12:] += 15.0
    rows = truth.copy()
    rows[5] -= 45.0
    found = smooth_bottom(rows, np.arange(25), PITCHES, 4.0)
    moved = np.abs(found - truth).max(axis=1)
    assert np.median(moved) < 1.0
    assert moved.max() < 13.0


@pytest.mark.parametrize("scans, width", [(1, 64), (2, 5), (3, 1), (1, 1)])
def test_few_b_scans_or_columns(scans, width):
    np.testing.assert_allclose(smooth_bottom(np.full((scans, width), 50.0), np.arange(scans), PITCHES, 4.0), 50.0, atol=1e-3)


def test_b_scans_far_apart_do_not_smooth_each_other():
    truth = course(5, 64) + np.array([0.0, 12.0, -12.0, 12.0, 0.0])[:, None]
    far = np.abs(smooth_bottom(truth, np.arange(5), (1230.0, 90.0), 4.0) - truth).max()
    assert far < 1.0
