import numpy as np
import pytest
from sklearn import metrics as sk

from fanogan_tf.evaluation.curve import Curve


def drawn(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 60)
    # Rounded, so that there are ties.
    return labels, (random.normal(0, 1, 60) + labels).round(1)


def test_by_hand():
    """Scores 5 4 3 2 1 of A N A A N: hits 1 1 2 3 3, false alarms 0 1 1 1 2."""
    found = Curve(np.array([1, 0, 1, 1, 0]), np.array([5.0, 4, 3, 2, 1])).figures()
    assert found["auroc"] == pytest.approx(4 / 6)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert found["f1_max"] == pytest.approx(2 * 3 / (4 + 3))
    assert found["sensitivity_at_95"] == pytest.approx(1 / 3)
    assert found["specificity_at_95"] == pytest.approx(1 / 2)
    assert Curve(np.array([1, 0, 1, 1, 0]), np.array([5.0, 4, 3, 2, 1])).threshold_of_f1_max() == 2.0


def test_equals_scikit_learn_for_any_counts():
    for seed in range(5):
        labels, scores = drawn(seed)
        for counts in (None, np.random.default_rng([seed, 1]).integers(0, 4, 60)):
            found = Curve(labels, scores).figures(counts)
            assert found["auroc"] == pytest.approx(sk.roc_auc_score(labels, scores, sample_weight=counts))
            assert found["average_precision"] == pytest.approx(sk.average_precision_score(labels, scores, sample_weight=counts))
            cuts = np.unique(scores)
            assert found["f1_max"] == pytest.approx(max(sk.f1_score(labels, scores >= cut, sample_weight=counts) for cut in cuts))


def test_perfect_and_without_a_kind():
    labels = np.array([0, 0, 1])
    perfect = Curve(labels, np.array([1.0, 2.0, 3.0])).figures()
    assert all(value == 1.0 for value in perfect.values())
    # The highest score is a normal's: nothing can be found without a false alarm of more than 5 %.
    assert Curve(labels, np.array([1.0, 3.0, 2.0])).figures()["sensitivity_at_95"] == 0.0
    assert set(Curve(labels, np.arange(3.0)).figures(np.array([1, 1, 0])).values()) == {None}
