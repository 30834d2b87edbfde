import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fanogan_tf.evaluation import metrics
from tests.helpers.fakes import make_table


def test_image_metrics_worked_by_hand():
    # Normal 1 2 3, anomalous 2.5 4 5. Pairs won: 2 + 3 + 3 of 9. Ranked downwards: + + - + - -, so AP = (1 + 1 + 3/4) / 3.
    labels, scores = np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 2.0, 3.0, 2.5, 4.0, 5.0])
    found = metrics.image_metrics(labels, scores, 4.0)
    assert found["auroc"] == pytest.approx(8 / 9)
    assert found["average_precision"] == pytest.approx(11 / 12)
    # Above 2: all three found, one false alarm, index 2/3. Above 3: two found, none false, index 2/3. The higher is taken.
    assert found["youden"] == {
        "threshold": 3.0,
        "precision": 1.0,
        "sensitivity": pytest.approx(2 / 3),
        "specificity": 1.0,
        "f_score": pytest.approx(0.8),
    }
    # A score equal to the threshold is normal: only 5 is found.
    assert found["operating_point"] == {
        "threshold": 4.0,
        "precision": 1.0,
        "sensitivity": pytest.approx(1 / 3),
        "specificity": 1.0,
        "f_score": pytest.approx(0.5),
    }


def test_unlabelled_rows_do_not_count():
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.4, 0.3])
    more = metrics.image_metrics(np.append(labels, [-1, -1]), np.append(scores, [5.0, -5.0]), 0.35)
    assert more == metrics.image_metrics(labels, scores, 0.35)


def test_youden_with_ties_across_the_groups():
    # Three rows share the score 2. Above 1: sensitivity 1, specificity 2/4. Above 2: 1/3 and 4/4 - less.
    labels, scores = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([1.0, 1.0, 2.0, 1.5, 2.0, 2.0, 3.0])
    point = metrics.image_metrics(labels, scores, 0.0)["youden"]
    assert point["threshold"] == 1.5
    assert point["sensitivity"] == 1.0
    assert point["specificity"] == 0.75
    assert point["precision"] == pytest.approx(3 / 4)


def test_youden_is_the_best_of_all_thresholds():
    random = np.random.default_rng(0)
    for _ in range(20):
        labels, scores = random.integers(0, 2, 40), random.integers(0, 8, 40) / 4.0
        labels[:2] = 0, 1
        point = metrics.at_threshold(labels, scores, metrics.youden_threshold(labels, scores))
        every = [metrics.at_threshold(labels, scores, t) for t in np.unique(scores)]
        index = [p["sensitivity"] + p["specificity"] for p in every]
        assert point["sensitivity"] + point["specificity"] == pytest.approx(max(index))
        assert point["threshold"] == max(p["threshold"] for p, i in zip(every, index, strict=True) if i > max(index) - 1e-9)


@pytest.mark.parametrize("scores", [[3.0, 1.0], [2.0, 2.0]])
def test_scores_worse_than_chance_call_nothing_anomalous(scores):
    point = metrics.image_metrics(np.array([0, 1]), np.array(scores), 0.0)["youden"]
    assert point == {"threshold": scores[0], "precision": None, "sensitivity": 0.0, "specificity": 1.0, "f_score": 0.0}


@pytest.mark.parametrize(("label", "known", "unknown"), [(0, "specificity", "sensitivity"), (1, "sensitivity", "specificity")])
def test_one_kind_of_label_only(label, known, unknown):
    found = metrics.image_metrics(np.array([label, label, -1]), np.array([1.0, 2.0, 3.0]), 1.5)
    assert found["auroc"] is found["average_precision"] is found["youden"] is None
    assert found["operating_point"][known] == 0.5
    assert (
        found["operating_point"][unknown] is found["operating_point"]["precision"] is found["operating_point"]["f_score"] is None
    )


def test_values_are_plain_json():
    found = metrics.image_metrics(np.array([0, 1, 1]), np.array([0.1, 0.2, 0.3], np.float32), np.float32(0.15))
    table = make_table([0.1, 0.2, 0.3], [0, 1, -1], ["a", "b", ""], 0.15)
    json.dumps([found, metrics.per_class(table)], allow_nan=False)


def test_per_class():
    table = make_table([1.0, 2.0, 6.0, 1.5, 7.0, 8.0, 9.0], [0, 0, 0, 1, 1, 1, -1], ["one"] * 3 + ["b", "b", "a", ""], 2.0)
    found = metrics.per_class(table)
    assert list(found) == ["one", "a", "b", "unknown"]  # the normal class first
    assert found["one"] == {
        "images": 3,
        "mean_score": 3.0,
        "median_score": 2.0,
        "share_anomalous": pytest.approx(1 / 3),
        "auroc": None,
    }
    assert found["b"]["auroc"] == pytest.approx((1 + 3) / 6)
    assert found["b"]["auroc"] == pytest.approx(roc_auc_score([0, 0, 0, 1, 1], [1, 2, 6, 1.5, 7]))
    assert found["a"]["auroc"] == 1.0
    assert found["a"]["share_anomalous"] == 1.0
    assert found["unknown"] == {"images": 1, "mean_score": 9.0, "median_score": 9.0, "share_anomalous": 1.0, "auroc": None}


def test_per_term():
    # The fake table has image residuals (3 of 4 pairs won, the unlabelled row left out), and no other term.
    table = make_table([1.0, 3.0, 4.0, 2.0, 9.0], [0, 0, 1, 1, -1], ["a", "a", "b", "b", ""], 2.0)
    assert metrics.per_term(table) == {"image_residual": {"mean_normal": 2.0, "mean_anomalous": 3.0, "auroc": 3 / 4}}
    normal_only = make_table([1.0, 3.0], [0, 0], ["a", "a"], 2.0)
    assert metrics.per_term(normal_only)["image_residual"] == {"mean_normal": 2.0, "mean_anomalous": None, "auroc": None}
