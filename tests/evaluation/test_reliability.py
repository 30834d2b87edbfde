import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fanogan_tf.evaluation import intervals, reliability
from tests.helpers.fakes import make_table


def table_of(seed=0, normals=60, anomalies=50, unknown=5, shift=1.0):
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1, -1], [normals, anomalies, unknown])
    classes = np.where(labels == 0, "normal", np.where(np.arange(len(labels)) % 2, "cyst", "drusen"))
    return make_table(random.normal(0, 1, len(labels)) + shift * (labels == 1), labels, classes, 1.5)


def test_only_labelled_rows_of_both_kinds():
    table = table_of()
    known = reliability.labelled(table, None)
    assert len(known.rows) == 110 and known.anomalous.sum() == 50 and known.independent
    assert reliability.labelled(table_of(anomalies=0), None) is None
    pairs = np.repeat(np.arange(58), 2)[:115].astype(str)
    assert not reliability.labelled(table, pairs).independent


def test_figures_of_independent_images():
    table = table_of()
    found = reliability.figures(table, reliability.labelled(table, None), seed=0)
    known = table.label >= 0
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(table.label[known], table.score[known]))
    _, expected = intervals.auroc(table.score[table.label == 0], table.score[table.label == 1])
    assert (found["auroc"]["low"], found["auroc"]["high"]) == (expected.low, expected.high)
    for name in ("average_precision", "f1_max", "sensitivity_at_95", "specificity_at_95"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"], name
    assert "DeLong" in found["method"]
    json.dumps(found, allow_nan=False)


def test_images_in_groups_are_less_sure():
    """Every image ten times, each with its ten in one group: as sure as one of each, and less than a hundred images."""
    small = table_of(normals=12, anomalies=12, unknown=0)
    tens = make_table(np.repeat(small.score, 10), np.repeat(small.label, 10), np.repeat(small.class_name, 10), 1.5)
    groups = np.repeat(np.arange(24), 10).astype(str)
    known = reliability.labelled(tens, groups)
    found = reliability.figures(tens, known, seed=0)
    assert "24 groups" in found["method"]
    naive = reliability.figures(tens, reliability.labelled(tens, None), seed=0)
    assert found["auroc"]["value"] == pytest.approx(naive["auroc"]["value"])
    assert found["auroc"]["high"] - found["auroc"]["low"] > 2 * (naive["auroc"]["high"] - naive["auroc"]["low"])


def test_against_other_scores():
    table = table_of(shift=2.0)
    others = {"worse": table.score + np.random.default_rng(1).normal(0, 3, len(table)), "same": table.score}
    found = reliability.against(table, reliability.labelled(table, None), others, seed=0)
    assert found["worse"]["difference"]["low"] > 0 and found["worse"]["difference"]["p"] < 0.01
    assert found["same"]["difference"]["value"] == 0.0 and found["same"]["difference"]["low"] is None
    groups = np.repeat(np.arange(58), 2)[:115].astype(str)
    grouped = reliability.against(table, reliability.labelled(table, groups), others, seed=0)
    assert grouped["worse"]["auroc"] == pytest.approx(found["worse"]["auroc"])
    assert grouped["worse"]["difference"]["low"] > 0 and grouped["worse"]["difference"]["p"] is None
    json.dumps([found, grouped], allow_nan=False)


def test_per_class():
    table = table_of()
    found = reliability.per_class(table, None, seed=0)
    assert found["normal"] == {}
    chosen = (table.label == 0) | ((table.label == 1) & (table.class_name == "cyst"))
    assert found["cyst"]["auroc"] == pytest.approx(roc_auc_score(table.label[chosen], table.score[chosen]))
    assert found["cyst"]["low"] < found["cyst"]["auroc"] < found["cyst"]["high"]


def test_per_group_by_hand():
    """Patients a: 1 2, b: 3; anomalous c: 0 9, d: 2 2. Means 1.5 3 | 4.5 2, highest 2 3 | 9 2."""
    table = make_table([1, 2, 3, 0, 9, 2, 2], [0, 0, 0, 0, 1, 1, 1], ["n"] * 7, 5)
    found = reliability.per_group(table, np.array(["a", "a", "b", "c", "c", "d", "d"]))
    assert (found["groups"], found["normal_groups"], found["anomalous_groups"]) == (4, 2, 2)
    assert found["mean"]["auroc"] == 3 / 4 and found["highest"]["auroc"] == (2 + 0.5) / 4
    assert reliability.per_group(table, np.arange(7).astype(str)) is None


def test_subgroups():
    table = table_of()
    views = np.where(np.arange(len(table)) % 3 == 0, "AP", "PA")
    ages = np.arange(len(table)).astype(str)
    found = reliability.subgroups(table, {"view": views, "age": ages}, None, seed=0)
    assert [(row["column"], row["value"]) for row in found[:2]] == [("view", "AP"), ("view", "PA")]
    chosen = (views == "AP") & (table.label >= 0)
    assert found[0]["auroc"] == pytest.approx(roc_auc_score(table.label[chosen], table.score[chosen]))
    normal = (views == "AP") & (table.label == 0)
    assert found[0]["share_anomalous"] == pytest.approx(table.anomalous[normal].mean())
    assert [row["value"] for row in found[2:]] == ["0 to 38", "39 to 76", "77 to 114"]
    assert found[2]["auroc"] is None and found[2]["why"] == "one kind of image is missing"
    assert sum(row["normal"] for row in found[2:]) == 60 and sum(row["anomalous"] for row in found[2:]) == 50
