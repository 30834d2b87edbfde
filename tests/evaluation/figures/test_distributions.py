import numpy as np
import pytest
from matplotlib.colors import to_hex

from fanogan_tf.evaluation.figures import distributions, style
from tests.helpers.fakes import make_table


def _colour(patch) -> str:
    return to_hex(patch.get_facecolor()).upper()


def _table(unlabelled: bool = False):
    random = np.random.default_rng(0)
    scores = np.concatenate([random.uniform(0.5, 1.5, 200), random.uniform(1.0, 3.0, 400), [1000.0]])
    labels = np.repeat([0, 1], [200, 401])
    classes = np.array(["one"] * 200 + ["a class with a name that goes on and on and on"] * 201 + ["b"] * 200)
    return make_table(scores, np.full_like(labels, -1) if unlabelled else labels, classes, 1.25)


def test_bins_leave_outliers_out_and_hold_the_threshold():
    table = _table()
    edges = distributions.bin_edges(table.score, 1.25)
    assert len(edges) == 51
    assert edges[0] == table.score.min()
    assert 2.5 < edges[-1] < 4.0
    assert distributions.bin_edges(table.score, 7.0)[-1] == 7.0
    assert distributions.bin_edges(table.score, -7.0)[0] == -7.0


def test_bins_of_wide_scores_are_logarithmic():
    edges = distributions.bin_edges(np.geomspace(0.001, 10.0, 1000), -1.0)
    assert edges[0] == pytest.approx(0.001)
    np.testing.assert_allclose(edges[1:] / edges[:-1], edges[1] / edges[0])


def test_bins_of_one_score():
    assert (np.diff(distributions.bin_edges(np.full(5, 2.0), 2.0)) > 0).all()


def test_histogram():
    figure = distributions.histogram(_table(), 1.25, "synthetic phantom")
    plot = figure.axes[0]
    assert [t.get_text() for t in plot.get_legend().get_texts()] == [
        "normal (200 images)",
        "anomalous (401 images)",
        "threshold 1.25",
    ]
    shares = [patch.get_data().values for patch in plot.patches if patch.get_fill()]
    assert [values.sum() for values in shares] == pytest.approx([1.0, 1.0])
    # The 99.5th percentile of 601 scores is the 598th; three lie above it, and the last bin holds them too.
    assert shares[1][-1] >= 4 / 401
    assert "the last bin also holds 3 above it" in plot.get_xlabel()
    assert plot.get_xscale() == "linear"


def test_histogram_without_labels():
    plot = distributions.histogram(_table(unlabelled=True), 1.25).axes[0]
    assert [t.get_text() for t in plot.get_legend().get_texts()] == ["not labelled (601 images)", "threshold 1.25"]


def test_boxplot():
    figure = distributions.boxplot(_table(), 1.25)
    plot = figure.axes[0]
    names = [label.get_text() for label in plot.get_yticklabels()]
    assert names[0] == "one (200)"
    assert names[1].startswith("a class with") and names[1].endswith("on and on (201)")
    # The normal class is on top and in its own colour.
    assert plot.get_ylim()[0] > plot.get_ylim()[1]
    colours = [_colour(box) for box in plot.patches]
    assert colours == [style.NORMAL_COLOUR, style.ANOMALOUS_COLOUR, style.ANOMALOUS_COLOUR]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["threshold 1.25", "normal", "anomalous"]
    medians = [line.get_xdata()[0] for line in plot.lines if line.get_linewidth() == 1.8]
    assert medians[0] == pytest.approx(np.median(_table().score[:200]))


def test_nothing_is_cut_off():
    for make in (distributions.boxplot, distributions.histogram):
        figure = make(_table(), 1.25, "note")
        figure.savefig("/dev/null", format="png")
        box = figure.axes[0].get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert figure.axes[0].get_window_extent().width > 0.4 * figure.bbox.width


RANDOM = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [200, 400])
SCORES = np.concatenate([RANDOM.normal(1.0, 0.1, 200), RANDOM.normal(1.5, 0.2, 400)])


def _texts(plot) -> list[str]:
    return [text.get_text() for text in plot.texts]


def _shares(plot) -> list[np.ndarray]:
    return [patch.get_data().values for patch in plot.patches if patch.get_fill()]


def test_bins_reach_as_far_as_the_bulk_of_each_group():
    edges = distributions.bin_edges_by_group(LABELS, SCORES)
    assert len(edges) == 41
    assert edges[0] == SCORES.min() and 1.9 < edges[-1] <= SCORES.max()
    # Twenty outliers on either side move the edges by next to nothing.
    wild = SCORES.copy()
    wild[:20], wild[-20:] = -1e6, 1e6
    np.testing.assert_allclose(distributions.bin_edges_by_group(LABELS, wild)[[0, -1]], edges[[0, -1]], atol=0.3)


def test_bins_of_a_grid_with_wide_scores_are_logarithmic():
    edges = distributions.bin_edges_by_group(LABELS, np.exp(5 * SCORES))
    np.testing.assert_allclose(edges[1:] / edges[:-1], edges[1] / edges[0])
    assert edges[0] == pytest.approx(np.exp(5 * SCORES.min()))


def test_bins_of_a_grid_with_one_score():
    assert (np.diff(distributions.bin_edges_by_group(LABELS, np.full(600, 2.0))) > 0).all()


def test_each_group_adds_up_to_one_and_no_image_is_left_out():
    wild = SCORES.copy()
    wild[:20] = -1e6
    figure = distributions.score_grid({"f-AnoGAN": (LABELS, SCORES), "A_D": (LABELS, wild)}, "synthetic phantom")
    first, second = figure.axes
    assert [shares.sum() for plot in figure.axes for shares in _shares(plot)] == pytest.approx([1.0] * 4)
    assert _shares(second)[0][0] >= 20 / 200  # the outer bin holds what lies beyond
    assert _texts(first)[0] == "f-AnoGAN" and _texts(second)[0] == "A_D"
    assert float(_texts(second)[1].removeprefix("AUROC ")) > float(_texts(first)[1].removeprefix("AUROC ")) > 0.9
    assert "synthetic phantom" in [text.get_text() for text in figure.texts]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["normal images", "anomalous images"]


def test_the_groups_keep_their_colours():
    plot = distributions.score_grid({"a": (LABELS, SCORES)}).axes[0]
    filled = [patch for patch in plot.patches if patch.get_fill()]
    assert [to_hex(patch.get_facecolor()).upper() for patch in filled] == [style.NORMAL_COLOUR, style.ANOMALOUS_COLOUR]
    drawn = [patch.get_data() for patch in filled]
    middles = [np.average((shares.edges[1:] + shares.edges[:-1]) / 2, weights=shares.values) for shares in drawn]
    assert middles == pytest.approx([1.0, 1.5], abs=0.05)


@pytest.mark.parametrize("methods", [1, 4, 14])
def test_nothing_of_a_grid_is_cut_off_or_covered(methods):
    scores = {f"method {i} with a name that goes on and on": (LABELS, np.exp(i * SCORES)) for i in range(methods)}
    figure = distributions.score_grid(scores, "a note that is long enough for two lines " * 3)
    figure.savefig("/dev/null", format="png")
    boxes = [plot.get_tightbbox() for plot in figure.axes] + [text.get_window_extent() for text in figure.texts]
    boxes.append(figure.legends[0].get_window_extent())
    for i, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:i])
    for plot in figure.axes:
        name, area = (text.get_window_extent() for text in plot.texts)
        assert name.x1 < area.x0
