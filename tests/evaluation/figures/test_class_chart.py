import math
from itertools import pairwise

import numpy as np
import pytest

from fanogan_tf.evaluation.figures.class_chart import class_chart, class_means

FULL = {"f-AnoGAN": {"0": 0.99, "1": 0.95, "8": 0.9}, "PCA": {"0": 0.9, "1": 0.8, "8": 0.7}}
PARTLY = {"f-AnoGAN": FULL["f-AnoGAN"], "AE": {"0": 0.95, "1": math.nan}, "PCA": {"8": 0.7, "0": 0.9}}


def _ticks(plot) -> list[str]:
    return [label.get_text() for label in plot.get_xticklabels()]


def _dots(plot) -> list[list[list[float]]]:
    return [line.get_xydata().tolist() for line in plot.lines if line.get_marker() != "None"]


def test_a_dot_per_class_and_the_mean():
    plot = class_chart(FULL, "synthetic phantom").axes[0]
    assert _ticks(plot) == ["0", "1", "8", "mean of\nall"]
    first, second = np.array(_dots(plot))
    np.testing.assert_allclose(first[:, 1], [0.99, 0.95, 0.9, 2.84 / 3])
    np.testing.assert_allclose(second[:, 1], [0.9, 0.8, 0.7, 0.8])
    # Each in its own lane of the class's group.
    assert (np.round(first[:, 0]) == [0, 1, 2, 3]).all() and (np.round(second[:, 0]) == [0, 1, 2, 3]).all()
    assert (first[:, 0] < second[:, 0]).all()
    assert [text.get_text() for text in plot.get_legend().get_texts()] == ["0.947  f-AnoGAN", "0.800  PCA"]
    assert [text.get_text() for text in plot.texts] == ["synthetic phantom"]


def test_what_was_not_measured_is_left_out_and_means_compare_the_same_classes():
    plot = class_chart(PARTLY).axes[0]
    assert _ticks(plot) == ["0", "1", "8", "mean of\n1 common", "mean of\nall"]
    places = [[round(x) for x, _ in dots] for dots in _dots(plot)]
    assert places == [[0, 1, 2, 3, 4], [0, 3], [0, 2, 3]]
    assert [dots[places[i].index(3)][1] for i, dots in enumerate(_dots(plot))] == [0.99, 0.95, 0.9]
    assert "all methods were measured on" in plot.get_xlabel()


def test_means():
    assert class_means({"a": {"0": 0.5, "1": 0.7}}, ["0", "1"]) == {"mean of\nall": {"a": pytest.approx(0.6)}}
    assert class_means({"a": {"0": 0.5}, "b": {"1": 0.7}}, ["0", "1"]) == {}
    assert class_means({"a": {"0": 0.5}, "b": {"0": 0.7}}, ["0", "1"]) == {"mean of\n1 common": {"a": 0.5, "b": 0.7}}


def test_the_axis_starts_under_the_lowest_value_and_says_so():
    plot = class_chart(FULL).axes[0]
    assert plot.get_ylim()[0] == 0.65 and 1.0 < plot.get_ylim()[1] < 1.01
    assert plot.get_ylabel() == "AUROC (the axis starts at 0.65)"
    low = class_chart({"a": {"0": 0.3, "1": 0.0}}).axes[0]
    assert low.get_ylim()[0] == 0.0 and low.get_ylabel() == "AUROC"
    # Chance is drawn where it is in sight.
    assert 0.5 in [line.get_ydata()[0] for line in low.lines] and 0.5 not in [line.get_ydata()[0] for line in plot.lines]


def test_nothing_measured_at_all():
    plot = class_chart({"a": {"0": math.nan}, "b": {}}).axes[0]
    assert _ticks(plot) == ["0"] and _dots(plot) == [[], []]


@pytest.mark.parametrize("methods", [2, 14])
def test_nothing_is_cut_off_and_no_label_covers_another(methods):
    names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
    aurocs = {f"method {i} with a very long name indeed": {name: 0.99 - 0.02 * i for name in names} for i in range(methods)}
    aurocs["another one"] = dict.fromkeys(names[:4], 0.9)
    figure = class_chart(aurocs)
    figure.savefig("/dev/null", format="png")
    plot = figure.axes[0]
    box, key = plot.get_tightbbox(), plot.get_legend().get_window_extent()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    assert plot.get_window_extent().x1 < key.x0
    flat = class_chart({name: {str(i): 0.9 for i in range(10)} for name in aurocs} | {"one": {"0": 0.9}})
    flat.savefig("/dev/null", format="png")
    labels = [label.get_window_extent() for label in flat.axes[0].get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(labels))
