import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fanogan_tf.evaluation import intervals


def brute_force(normal, anomalous):
    """DeLong's areas and covariance, pair by pair."""
    wins = [(a[:, None] > n[None]) + 0.5 * (a[:, None] == n[None]) for n, a in zip(normal, anomalous, strict=True)]
    areas = [w.mean() for w in wins]
    by_anomalous, by_normal = np.array([w.mean(1) for w in wins]), np.array([w.mean(0) for w in wins])
    return areas, np.cov(by_anomalous) / by_anomalous.shape[1] + np.cov(by_normal) / by_normal.shape[1]


def scores(seed, normals, anomalies, shift):
    random = np.random.default_rng(seed)
    # Rounded, so that there are ties.
    return random.normal(0, 1, normals).round(1), random.normal(shift, 1, anomalies).round(1)


def test_area_is_the_auroc():
    normal, anomalous = scores(0, 40, 30, 0.8)
    area, _ = intervals.auroc(normal, anomalous)
    labels = np.repeat([0, 1], [40, 30])
    assert area == pytest.approx(roc_auc_score(labels, np.concatenate([normal, anomalous])))


def test_covariance_is_delongs():
    normal, anomalous = (np.stack(pair) for pair in zip(scores(1, 25, 35, 0.5), scores(2, 25, 35, 1.0), strict=True))
    areas, covariance = intervals._delong(normal, anomalous)
    expected_areas, expected = brute_force(normal, anomalous)
    np.testing.assert_allclose(areas, expected_areas)
    np.testing.assert_allclose(covariance, expected)


def test_interval_by_hand():
    """Normals 1, 2 and anomalies 2, 3: wins 1, 1/2, 1, 1; area 7/8; variance (1/8)^2 for either kind over 2 images."""
    area, interval = intervals.auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    assert area == 7 / 8
    deviation = np.sqrt(2 * np.var([0.75, 1.0], ddof=1) / 2)
    logit = np.log(7) + np.array([-1, 1]) * 1.959964 * deviation / (7 / 64)
    np.testing.assert_allclose([interval.low, interval.high], 1 / (1 + np.exp(-logit)), rtol=1e-6)


def test_covers_the_true_area_as_often_as_it_says():
    """Of 400 draws with a true area of .76, 95 % of the intervals hold it; three standard errors are 3.3 %."""
    truth = 0.7602499389065233  # Phi(1 / sqrt 2)
    held = 0
    for seed in range(400):
        random = np.random.default_rng([7, seed])
        _, interval = intervals.auroc(random.normal(0, 1, 30), random.normal(1, 1, 40))
        held += interval.low <= truth <= interval.high
    assert abs(held / 400 - 0.95) < 0.033


def test_where_there_is_none_it_says_why():
    for normal, anomalous, why in (
        ([1.0], [2.0, 3.0], "1 normal and 2 anomalous"),
        ([0.0, 1.0], [2.0, 3.0], "without overlap"),
    ):
        _, interval = intervals.auroc(np.array(normal), np.array(anomalous))
        assert interval.low is None and why in interval.why and why in str(interval)


def test_comparison():
    """Two scores of one kind of noise differ less surely than their single intervals say, as they err alike."""
    random = np.random.default_rng(3)
    common_n, common_a = random.normal(0, 1, 200), random.normal(1, 1, 200)
    normal = np.stack([common_n + 0.1 * random.normal(size=200), common_n + 0.8 * random.normal(size=200)])
    anomalous = np.stack([common_a + 0.1 * random.normal(size=200), common_a + 0.8 * random.normal(size=200)])
    found = intervals.compare(normal, anomalous)
    first, second = (intervals.auroc(normal[i], anomalous[i]) for i in range(2))
    assert found.difference == pytest.approx(first[0] - second[0])
    assert found.interval.low > 0 and found.p < 0.05
    assert first[1].low < second[1].high  # Alone they overlap.
    same = intervals.compare(normal[[0, 0]], anomalous[[0, 0]])
    assert same.difference == 0 and same.p == 1.0 and "alike" in same.interval.why


def test_p_is_uniform_without_a_difference():
    """Of 400 pairs of equally good scores, 5 % have p < 0.05; three standard errors are 3.3 %."""
    below = 0
    for seed in range(400):
        random = np.random.default_rng([11, seed])
        below += intervals.compare(random.normal(0, 1, (2, 50)), random.normal(1, 1, (2, 50))).p < 0.05
    assert abs(below / 400 - 0.05) < 0.033


def mean_of(values):
    return lambda counts: {"mean": float(np.average(values, weights=counts))}


def test_bootstrap_of_a_mean():
    """Of independent rows, the interval of the normal approximation; of rows that come in equal tens, wider by sqrt 10."""
    random = np.random.default_rng(5)
    values = random.normal(0, 1, 400)
    alone = intervals.bootstrap(mean_of(values), np.arange(400), seed=0)
    assert alone["mean"].high - alone["mean"].low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    tens = np.repeat(random.normal(0, 1, 40), 10)
    grouped = intervals.bootstrap(mean_of(tens), np.repeat(np.arange(40), 10), seed=0)["mean"]
    assert grouped.high - grouped.low == pytest.approx(2 * 1.96 * tens.std() / np.sqrt(40), rel=0.15)
    assert intervals.bootstrap(mean_of(values), np.arange(400), seed=0) == alone
    assert intervals.bootstrap(mean_of(values), np.arange(400), seed=1) != alone


def test_bootstrap_keeps_the_kinds():
    labels = np.array([0] * 3 + [1] * 50)
    kept = intervals.bootstrap(mean_of(labels), np.arange(53), seed=0, strata=labels)["mean"]
    assert kept.low == pytest.approx(50 / 53) and kept.high == pytest.approx(50 / 53)
    assert intervals.bootstrap(mean_of(labels), np.arange(53), seed=0)["mean"].low < 50 / 53 - 0.01


def test_bootstrap_where_there_is_none():
    def nothing(counts):
        return {"figure": None}

    assert "one group" in intervals.bootstrap(nothing, np.zeros(5), seed=0)["figure"].why
    apart = intervals.bootstrap(nothing, np.array([0, 1, 2]), seed=0, strata=np.array([0, 0, 1]))
    assert "single group" in apart["figure"].why
    assert "not defined" in intervals.bootstrap(nothing, np.arange(5), seed=0)["figure"].why
