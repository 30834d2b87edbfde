import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.detection import calibration as decision
from fanogan_tf.detection.calibration import calibrate


@pytest.fixture(params=["quantile", "mean_3sd"])
def calibration(request):
    normal = np.random.default_rng(0).gamma(2.0, 0.3, 200).astype(np.float32)
    return calibrate(np.append(normal, normal[:5]), request.param, 0.05)


def scores(calibration):
    """Below, between, on and above the knots, and far beyond."""
    knots = calibration.knots
    return np.concatenate([np.linspace(-9, 9, 999), knots, np.nextafter(knots, 9), [-1e30, 1e30]]).astype(np.float32)


def test_probability(calibration):
    expected = calibration.probability(scores(calibration))
    probability = decision.probability(calibration, tf.constant(scores(calibration))).numpy()
    np.testing.assert_allclose(probability, expected, rtol=1e-6)
    assert (np.diff(np.sort(probability)) > 0).sum() > 1000  # Not all the same.


def test_anomalous_also_at_the_threshold_itself(calibration):
    at = np.float32(calibration.threshold)
    values = np.concatenate([scores(calibration), [at, np.nextafter(at, np.float32(9)), np.nextafter(at, np.float32(-9))]])
    expected = calibration.anomalous(values.astype(np.float32))
    np.testing.assert_array_equal(decision.anomalous(calibration, tf.constant(values, tf.float32)).numpy(), expected)


def test_what_is_no_number_stays_none(calibration):
    assert np.isnan(decision.probability(calibration, tf.constant([np.nan])).numpy()).all()
