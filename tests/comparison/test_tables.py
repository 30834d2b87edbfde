"""Tables checked by hand, on four normal and four anomalous images."""

import numpy as np
import pytest

from fanogan_tf.comparison import tables
from tests.helpers.comparisons import outcomes, table, unlabelled

NAMES = list("abcdefgh")
LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
# A_R ranks one anomalous image below every normal one: 12 of 16 pairs are right. A_D ranks all right.
IMAGE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.05]
FEATURE = [0.01, 0.01, 0.01, 0.01, 0.1, 0.1, 0.1, 0.1]


def whole(job):
    return table(NAMES, LABELS, IMAGE, FEATURE, job.options.kappa)


def rows_of(made) -> dict:
    return dict(made.rows)


def test_methods_by_hand(tmp_path):
    found = outcomes(tmp_path, ["izi", "fanogan", "critic"], whole, seeds=2)
    made = tables.methods(found)
    rows = rows_of(made)
    assert list(rows) == ["A_D (critic)", "f-AnoGAN"]  # izi is of table 2
    assert rows["f-AnoGAN"]["auroc"] == [1.0, 1.0] and rows["f-AnoGAN"]["training_seconds"] == [60.0, 61.0]
    assert rows["f-AnoGAN"]["milliseconds_per_image"] == [2.0, 2.0] and rows["f-AnoGAN"]["images"] == [8]
    assert rows["f-AnoGAN"]["published_auroc"] == [0.9301]
    assert "shared_auroc" not in [column.key for column in made.columns]


def test_images_of_unknown_label_do_not_count(tmp_path):
    (outcome,) = outcomes(tmp_path, ["izi"], lambda job: unlabelled(whole(job)))
    assert outcome.at_youden()["auroc"] == 12 / 16
    # The best cut is 0.4: three of four found, no false alarm.
    assert outcome.at_youden()["sensitivity"] == 0.75 and outcome.at_youden()["specificity"] == 1.0


def test_methods_that_scored_fewer_are_compared_on_those(tmp_path):
    def some(job):
        rows = [0, 1, 4, 7] if job.variant.searches else range(8)
        return table([NAMES[i] for i in rows], [LABELS[i] for i in rows], [IMAGE[i] for i in rows], [0.0] * len(rows), 1.0)

    made = tables.methods(outcomes(tmp_path, ["fanogan", "iterative"], some))
    rows = rows_of(made)
    assert rows["f-AnoGAN"]["auroc"] == [12 / 16]
    assert rows["f-AnoGAN"]["shared_auroc"] == rows["iterative"]["shared_auroc"] == rows["iterative"]["auroc"] == [2 / 4]
    assert any(column.heading == "AUC, the 4 images that all scored" for column in made.columns)


def test_encoder_losses_with_and_without_the_feature_residual(tmp_path):
    rows = rows_of(tables.encoder_losses(outcomes(tmp_path, ["fanogan", "izi", "izi_linear", "pca"], whole)))
    assert list(rows) == [
        "izi, tanh",
        "izi_f, tanh",
        "izi, tanh, with feature residual at scoring (κ = 10)",
        "izi, linear",
        "izi, linear, with feature residual at scoring (κ = 10)",
        "PCA, for comparison",
    ]
    assert rows["izi, tanh"]["auroc"] == [12 / 16] and rows["izi_f, tanh"]["auroc"] == [1.0]
    assert rows["izi, tanh, with feature residual at scoring (κ = 10)"]["auroc"] == [1.0]
    assert rows["izi, tanh"]["published_auroc"] == [0.8874]


def test_classes_and_their_means(tmp_path):
    def by_class(job):
        better = job.options.normal_class == "0" or job.seed == 1
        return table(NAMES, LABELS, FEATURE if better else IMAGE, FEATURE, 0.0)

    found = outcomes(tmp_path, ["fanogan", "pca"], by_class, seeds=2, normal_class="0,8")
    found = [outcome for outcome in found if (outcome.job.protocol, outcome.job.variant.name) != ("normal 8", "pca")]
    rows = rows_of(tables.classes(found))
    assert rows["normal 0"] == {"fanogan": [1.0, 1.0], "pca": [1.0, 1.0]}
    assert rows["normal 8"] == {"fanogan": [0.75, 1.0], "pca": []}
    assert rows["mean of 2"] == {"fanogan": [0.875, 1.0], "pca": []}
    means = tables.class_means(tables.classes(found))
    assert means == {"f-AnoGAN": {"0": 1.0, "8": 0.875}, "PCA": {"0": 1.0}}


def test_mean_over_the_classes_that_every_method_has(tmp_path):
    found = outcomes(tmp_path, ["fanogan", "pca"], whole, normal_class="0,1,8")
    found = [outcome for outcome in found if (outcome.job.protocol, outcome.job.variant.name) != ("normal 8", "pca")]
    rows = rows_of(tables.classes(found))
    assert rows["mean of 2, of every method"] == {"fanogan": [1.0], "pca": [1.0]}


def test_terms_of_the_same_scores(tmp_path):
    rows = rows_of(tables.terms(outcomes(tmp_path, ["fanogan", "pca"], whole, normal_class="0,8")))
    assert list(rows) == ["normal 0", "normal 8", "mean of 2"]
    row = rows["normal 0"]
    assert row["score"] == [1.0] and row["image_residual"] == [12 / 16] and row["feature_residual"] == [1.0]
    kappa_1 = np.array(IMAGE) + np.array(FEATURE)
    right = sum(kappa_1[i] > kappa_1[j] for i in range(4, 8) for j in range(4))
    assert row["kappa_1"] == [right / 16] and rows["mean of 2"]["kappa_1"] == pytest.approx(row["kappa_1"])


def test_pixels_in_the_order_given():
    result = {"auroc": 0.8, "youden": {"sensitivity": 0.7, "specificity": 0.6}}
    rows = rows_of(tables.pixels({"fanogan": [result, result]}))
    assert rows == {
        "f-AnoGAN": {"sensitivity": [0.7, 0.7], "specificity": [0.6, 0.6], "auroc": [0.8, 0.8], "published_auroc": [0.7831]}
    }
