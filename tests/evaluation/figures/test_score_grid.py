import numpy as np
import pytest
from matplotlib.colors import to_hex

from fanogan_tf.evaluation.figures import distributions, style

RANDOM = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [200, 400])
SCORES = np.concatenate([RANDOM.normal(1.0, 0.1, 200), RANDOM.normal(1.5, 0.2, 400)])


def _texts(plot) -> list[str]:
    return [text.get_text() for text in plot.texts]


def _shares(plot) -> list[np.ndarray]:
    return [patch.get_data().values for patch in plot.patches if patch.get_fill()]


def test_bins_reach_as_far_as_the_bulk_of_each_group():
    edges = distributions.grid_bin_edges(LABELS, SCORES)
    assert len(edges) == 41
    assert edges[0] == SCORES.min() and 1.9 < edges[-1] <= SCORES.max()
    # Twenty outliers on either side move the edges by next to nothing.
    wild = SCORES.copy()
    wild[:20], wild[-20:] = -1e6, 1e6
    np.testing.assert_allclose(distributions.grid_bin_edges(LABELS, wild)[[0, -1]], edges[[0, -1]], atol=0.3)


def test_bins_of_wide_scores_are_logarithmic():
    edges = distributions.grid_bin_edges(LABELS, np.exp(5 * SCORES))
    np.testing.assert_allclose(edges[1:] / edges[:-1], edges[1] / edges[0])
    assert edges[0] == pytest.approx(np.exp(5 * SCORES.min()))


def test_bins_of_one_score():
    assert (np.diff(distributions.grid_bin_edges(LABELS, np.full(600, 2.0))) > 0).all()


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
def test_nothing_is_cut_off_or_covered(methods):
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
