import numpy as np
import pytest
from scipy import integrate

from fanogan_tf.evaluation.figures import curves
from fanogan_tf.evaluation.metrics import image_metrics
from fanogan_tf.evaluation.pixels import PixelCounts

LABELS, SCORES = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([1.0, 2.0, 3.0, 2.5, 4.0, 5.0, 6.0])
METRICS = image_metrics(LABELS, SCORES, 4.5)


def _lines(plot):
    return {line.get_label().split(":")[0]: line for line in plot.lines}


def _legend(plot):
    return " ".join(text.get_text().replace("\n", " ") for text in plot.get_legend().get_texts())


def test_roc():
    plot = curves.roc(LABELS, SCORES, METRICS, "synthetic phantom").axes[0]
    assert [t.get_text() for t in plot.texts] == ["synthetic phantom"]
    assert f"AUROC {11 / 12:.3f}" in _legend(plot)
    assert "Youden point: sensitivity 0.750, specificity 1.000" in _legend(plot)
    assert _lines(plot)["Youden point"].get_xydata().tolist() == [[0.0, 0.75]]
    assert _lines(plot)["calibrated threshold"].get_xydata().tolist() == [[0.0, 0.5]]
    x, y = _lines(plot)["AUROC 0.917"].get_xydata().T
    assert integrate.trapezoid(y, x) == pytest.approx(11 / 12)


def test_precision_recall():
    metrics = image_metrics(LABELS, SCORES, 2.0)
    plot = curves.precision_recall(LABELS, SCORES, metrics).axes[0]
    assert f"average precision {metrics['average_precision']:.3f}" in _legend(plot)
    assert list(_lines(plot)["chance"].get_ydata()) == pytest.approx([4 / 7, 4 / 7])
    assert _lines(plot)["calibrated threshold"].get_xydata().tolist() == [[1.0, 0.8]]


def test_a_threshold_that_calls_nothing_has_no_place_on_the_precision_curve():
    plot = curves.precision_recall(LABELS, SCORES, image_metrics(LABELS, SCORES, 100.0)).axes[0]
    assert "calibrated" not in _legend(plot)


def test_pixel_roc():
    counts = PixelCounts()
    counts.update(np.linspace(0, 2, 16).reshape(1, 4, 4, 1), (np.arange(16) >= 8).reshape(1, 4, 4, 1))
    plot = curves.pixel_roc(counts.roc_curve(), counts.result()).axes[0]
    assert "AUROC 1.000" in _legend(plot)
    assert "calibrated" not in _legend(plot)
    assert "pixels" in plot.get_xlabel()


WORSE, BETTER = np.array([1.0, 2.0, 3.0, 2.5, 4.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 6.0])


def _key(plot) -> list[str]:
    return [text.get_text() for text in plot.get_legend().get_texts()]


def test_one_curve_per_method_the_best_on_top():
    figure = curves.roc_overlay({"AE": (LABELS, WORSE), "f-AnoGAN": (LABELS, BETTER)}, "synthetic phantom")
    plot = figure.axes[0]
    assert _key(plot) == ["1.000  f-AnoGAN", f"{11 / 12:.3f}  AE"]
    assert [text.get_text() for text in plot.texts] == ["synthetic phantom"]
    *drawn, chance = plot.lines
    assert [integrate.trapezoid(line.get_ydata(), line.get_xdata()) for line in drawn] == pytest.approx([11 / 12, 1.0])
    assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert drawn[1].get_zorder() > drawn[0].get_zorder()
    assert "images" in plot.get_xlabel() and "images" in plot.get_ylabel()


def test_pixel_curves_are_drawn_as_given():
    given = {"AE": (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.75, 1.0]), 0.625)}
    plot = curves.pixel_roc_overlay(given).axes[0]
    assert plot.lines[0].get_xydata().tolist() == [[0.0, 0.0], [0.5, 0.75], [1.0, 1.0]]
    assert _key(plot) == ["0.625  AE"]
    assert "pixels" in plot.get_xlabel() and "pixels" in plot.get_ylabel()


def test_fourteen_methods_fit():
    random = np.random.default_rng(0)
    scores = {f"method {i} with a name that is too long": (LABELS, random.normal(size=7)) for i in range(14)}
    figure = curves.roc_overlay(scores)
    figure.savefig("/dev/null", format="png")
    key, plot = figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()
    assert len({(line.get_color(), str(line.get_linestyle())) for line in figure.axes[0].lines}) == 15
    assert plot.x1 < key.x0 and key.x1 <= figure.bbox.x1 and key.y0 >= 0 and key.y1 <= figure.bbox.y1
    assert plot.width == pytest.approx(plot.height)
