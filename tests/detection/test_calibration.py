import json

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.detection import calibration as in_graph
from fanogan_tf.detection.calibration import Calibration, calibrate, marking
from fanogan_tf.errors import UserError

NINETEEN = np.random.default_rng(0).permutation(np.arange(1.0, 20.0))  # Levels 1/20, 2/20, ... 19/20.
NORMALS = np.random.default_rng(1).gamma(4.0, size=300)


@pytest.mark.parametrize(("rate", "threshold"), [(0.05, 19.0), (0.1, 18.0), (0.5, 10.0), (0.125, 17.5), (0.33, 13.4)])
def test_quantile_by_hand(rate, threshold):
    np.testing.assert_allclose(calibrate(NINETEEN, "quantile", rate).threshold, threshold)


def test_quantile_beyond_the_last_by_hand():
    """A share of 1/20 lies above 19; a twentieth of that share lies ln 20 standard deviations above."""
    threshold = calibrate(NINETEEN, "quantile", 0.05 / 20).threshold
    np.testing.assert_allclose(threshold, 19.0 + np.sqrt((19**2 - 1) / 12) * np.log(20))


def test_mean_3sd_by_hand():
    calibration = calibrate(np.array([1.0, 1.0, 3.0, 3.0]), "mean_3sd", 0.05)
    np.testing.assert_allclose(calibration.threshold, 2.0 + 3.0)


def test_rate_does_not_matter_to_mean_3sd():
    assert calibrate(NORMALS, "mean_3sd", 0.05).threshold == calibrate(NORMALS, "mean_3sd", 0.5).threshold


def test_probability_by_hand():
    calibration = calibrate(NINETEEN, "quantile", 0.05)
    sd = np.sqrt((19**2 - 1) / 12)
    scores = [10.0, 10.5, 19.0, 1.0, 19.0 + sd, 1.0 - 2 * sd]
    expected = [0.5, 0.525, 0.95, 0.05, 1 - 0.05 / np.e, 0.05 / np.e**2]
    np.testing.assert_allclose(calibration.probability(scores), expected)


def test_probability_at_the_threshold():
    for normals in (NINETEEN, NORMALS, np.array([0.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])):
        for rate in (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5):
            calibration = calibrate(normals, "quantile", rate)
            probability = calibration.probability([calibration.threshold])
            np.testing.assert_allclose(probability, 1 - rate, err_msg=f"{len(normals)} normals, rate {rate}")


def test_probability_never_falls():
    for normals in (NINETEEN, NORMALS, np.round(NORMALS), np.array([2.0, 2.0, 2.0, 5.0])):
        calibration = calibrate(normals, "quantile", 0.05)
        span = normals.max() - normals.min()
        scores = np.sort(np.concatenate([np.linspace(normals.min() - 9 * span, normals.max() + 9 * span, 5000), normals]))
        probability = calibration.probability(scores)
        assert np.all(np.diff(probability) >= 0)
        assert 0.0 <= probability.min() < 0.01 and 0.99 < probability.max() <= 1.0
        # Nowhere a jump: what lies beyond the knots goes on from them.
        assert np.diff(calibration.probability(np.linspace(scores[0], scores[-1], 100_001))).max() < 0.05


def test_probability_of_extremes():
    calibration = calibrate(NINETEEN, "quantile", 0.05)
    np.testing.assert_array_equal(calibration.probability([-np.inf, -1e30, 1e30, np.inf]), [0, 0, 1, 1])
    assert calibration.probability(np.zeros(0)).shape == (0,)


def test_anomalous_is_above_the_threshold():
    calibration = calibrate(NINETEEN, "quantile", 0.05)
    above = np.nextafter(calibration.threshold, np.inf)
    assert calibration.anomalous([0.0, calibration.threshold, above]).tolist() == [False, False, True]


def test_ties_by_hand():
    """Levels of 0, 0, 0, 1: a fifth lies below 0, four fifths below 1."""
    calibration = calibrate(np.array([0.0, 1.0, 0.0, 0.0]), "quantile", 0.5)
    np.testing.assert_allclose(calibration.knots, [0.0, 1.0])
    np.testing.assert_allclose(calibration.levels, [0.2, 0.8])
    np.testing.assert_allclose(calibration.threshold, 0.5)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_share_of_normals_that_are_called_anomalous(rate):
    random = np.random.default_rng(3)
    calibration = calibrate(random.gamma(4.0, size=5000), "quantile", rate)
    called = calibration.anomalous(random.gamma(4.0, size=50_000)).mean()
    assert abs(called - rate) < 5 * np.sqrt(rate * (1 - rate) * (1 / 5000 + 1 / 50_000))


def test_probabilities_of_normals_are_uniform():
    random = np.random.default_rng(4)
    calibration = calibrate(random.normal(size=5000), "quantile", 0.05)
    counts = np.histogram(calibration.probability(random.normal(size=20_000)), 10, (0, 1))[0]
    np.testing.assert_allclose(counts / 20_000, 0.1, atol=0.02)


@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_many_normals_are_thinned(rate):
    normals = np.random.default_rng(5).normal(size=200_000)
    calibration = calibrate(normals, "quantile", rate)
    assert len(calibration.knots) == len(calibration.levels) == 1001
    assert calibration.knots[0] == normals.min() and calibration.knots[-1] == normals.max()
    np.testing.assert_allclose(calibration.threshold, np.quantile(normals, 1 - rate), atol=0.01)
    assert len(calibrate(normals[:1001], "quantile", rate).knots) == 1001


@pytest.mark.parametrize("normals", [[], [1.0], [2.0, 2.0, 2.0]])
def test_too_little_to_calibrate_on(normals):
    with pytest.raises(UserError, match=rf"two different scores, there are {len(normals)};"):
        calibrate(np.array(normals), "quantile", 0.05)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers(bad):
    # A threshold of NaN would call nothing anomalous, ever.
    with pytest.raises(UserError):
        calibrate(np.array([1.0, 2.0, bad]), "quantile", 0.05)


def test_json():
    calibration = calibrate(NORMALS, "quantile", 0.05)
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    scores = np.linspace(-5, 30, 1000)
    np.testing.assert_array_equal(again.probability(scores), calibration.probability(scores))
    assert again.threshold == calibration.threshold and again.tail == calibration.tail


@pytest.fixture(params=["quantile", "mean_3sd"])
def calibration(request):
    normal = np.random.default_rng(0).gamma(2.0, 0.3, 200).astype(np.float32)
    return calibrate(np.append(normal, normal[:5]), request.param, 0.05)


def scores(calibration):
    """Below, between, on and above the knots, and far beyond."""
    knots = calibration.knots
    return np.concatenate([np.linspace(-9, 9, 999), knots, np.nextafter(knots, 9), [-1e30, 1e30]]).astype(np.float32)


def test_probability_in_a_graph(calibration):
    expected = calibration.probability(scores(calibration))
    probability = in_graph.probability(calibration, tf.constant(scores(calibration))).numpy()
    # In float32; where it is next to nothing, the tail makes more of that.
    np.testing.assert_allclose(probability, expected, rtol=1e-6, atol=1e-12)
    assert (np.diff(np.sort(probability)) > 0).sum() > 1000  # Not all the same.


def test_anomalous_in_a_graph_also_at_the_threshold_itself(calibration):
    at = np.float32(calibration.threshold)
    values = np.concatenate([scores(calibration), [at, np.nextafter(at, np.float32(9)), np.nextafter(at, np.float32(-9))]])
    expected = calibration.anomalous(values.astype(np.float32))
    np.testing.assert_array_equal(in_graph.anomalous(calibration, tf.constant(values, tf.float32)).numpy(), expected)


def test_what_is_not_a_number_stays_so_in_a_graph(calibration):
    assert np.isnan(in_graph.probability(calibration, tf.constant([np.nan])).numpy()).all()


def test_the_threshold_does_not_depend_on_how_many_knots_are_kept():
    """Of 100,000 normals, 50 exceed the threshold for a rate of 5e-4, as asked; thinned knots alone gave 7e-5."""
    many = np.random.default_rng(2).gamma(2.0, size=100_000)
    calibration = calibrate(many, "quantile", 5e-4)
    assert abs((many > calibration.threshold).sum() - 50) <= 1
    assert len(calibration.knots) <= 1001 and calibration.normals == 100_000
    # The tail's ranks are all there.
    np.testing.assert_array_equal(calibration.knots[-500:], np.sort(many)[-500:])
    np.testing.assert_allclose(calibration.probability([calibration.threshold]), 1 - 5e-4, rtol=1e-6)


def test_what_a_rate_may_come_to():
    """The nominal 5 % of 31 and of 585 normals; by simulation, 95 of 100 thresholds lie between."""
    for count, low, high in ((31, 0.004, 0.147), (585, 0.034, 0.069)):
        found = calibrate(np.arange(float(count)), "quantile", 0.05).rate_interval(0.05)
        np.testing.assert_allclose(found, (low, high), atol=1e-3)
    random = np.random.default_rng(0)
    thresholds = [calibrate(random.random(79), "quantile", 0.05).threshold for _ in range(1000)]
    low, high = calibrate(np.arange(79.0), "quantile", 0.05).rate_interval(0.05)
    assert abs(np.mean([(low <= 1 - t <= high) for t in thresholds]) - 0.95) < 0.025


def test_detectors_of_earlier_versions_do_not_tell_how_many():
    values = calibrate(NINETEEN, "quantile", 0.05).to_json()
    del values["normals"]
    assert Calibration.from_json(values).normals == 0


def test_marking():
    """Of 21 normal images one may exceed it at 5 %; of 20 none, for one would be 5 % of those seen, not of those to come."""
    assert marking(np.arange(20.0), 0.05) == 19.0 and marking(np.arange(21.0), 0.05) == 19.0
    assert (np.arange(200.0) > marking(np.arange(200.0), 0.05)).mean() <= 0.05
    assert (np.arange(200.0) > marking(np.arange(200.0), 0.05)).mean() > 0.03
