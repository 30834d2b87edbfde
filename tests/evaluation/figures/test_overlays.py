import numpy as np
import pytest

from fanogan_tf.evaluation.figures import curves as overlays

LABELS = np.array([0, 0, 0, 1, 1, 1, 1])
WORSE, BETTER = np.array([1.0, 2.0, 3.0, 2.5, 4.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 6.0])


def _key(plot) -> list[str]:
    return [text.get_text() for text in plot.get_legend().get_texts()]


def test_one_curve_per_method_the_best_on_top():
    figure = overlays.roc_overlay({"AE": (LABELS, WORSE), "f-AnoGAN": (LABELS, BETTER)}, "synthetic phantom")
    plot = figure.axes[0]
    assert _key(plot) == ["1.000  f-AnoGAN", f"{11 / 12:.3f}  AE"]
    assert [text.get_text() for text in plot.texts] == ["synthetic phantom"]
    *curves, chance = plot.lines
    assert [np.trapezoid(line.get_ydata(), line.get_xdata()) for line in curves] == pytest.approx([11 / 12, 1.0])
    assert chance.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert curves[1].get_zorder() > curves[0].get_zorder()
    assert "images" in plot.get_xlabel() and "images" in plot.get_ylabel()


def test_pixel_curves_are_drawn_as_given():
    curves = {"AE": (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.75, 1.0]), 0.625)}
    plot = overlays.pixel_roc_overlay(curves).axes[0]
    assert plot.lines[0].get_xydata().tolist() == [[0.0, 0.0], [0.5, 0.75], [1.0, 1.0]]
    assert _key(plot) == ["0.625  AE"]
    assert "pixels" in plot.get_xlabel() and "pixels" in plot.get_ylabel()


def test_fourteen_methods_fit():
    random = np.random.default_rng(0)
    scores = {f"method {i} with a name that is too long": (LABELS, random.normal(size=7)) for i in range(14)}
    figure = overlays.roc_overlay(scores)
    figure.savefig("/dev/null", format="png")
    key, plot = figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()
    assert len({(line.get_color(), str(line.get_linestyle())) for line in figure.axes[0].lines}) == 15
    assert plot.x1 < key.x0 and key.x1 <= figure.bbox.x1 and key.y0 >= 0 and key.y1 <= figure.bbox.y1
    assert plot.width == pytest.approx(plot.height)
