"""The scores of normal and anomalous images, one small histogram per method (f-AnoGAN paper, figure B3)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from sklearn import metrics as sk

from fanogan_tf.evaluation import metrics, style

_COLUMNS, _BINS = 4, 40
_WIDTH, _HEIGHT, _LEFT, _ACROSS, _BETWEEN = 2.75, 1.35, 0.2, 0.25, 0.75  # inches: a histogram, and the room around it
_KEY, _BELOW = 0.4, 0.62  # inches: room for the legend, and under the last row
_GROUPS = (
    (metrics.NORMAL, "normal images", style.NORMAL_COLOUR),
    (metrics.ANOMALOUS, "anomalous images", style.ANOMALOUS_COLOUR),
)
_FENCE = 2.0  # interquartile ranges beyond the quartiles of a group, of normally spread scores all but 1 in 1,000


def score_grid(scores: dict[str, tuple[np.ndarray, np.ndarray]], note: str = "") -> Figure:
    """For each method the shares of its normal and of its anomalous images over their scores, each adding up to 100 %.

    Every histogram has its own axes, the horizontal one logarithmic where the scores spread far.

    Args:
      scores: method -> labels (N,) of 0 and 1, both present, and scores (N,).
      note: drawn small under the title.
    """
    columns = min(_COLUMNS, len(scores))
    rows = -(-len(scores) // columns)
    width = max(2 * _LEFT + columns * (_WIDTH + _ACROSS) - _ACROSS, 6.4)
    height = style.heading_height(width, note) + _KEY + rows * (_HEIGHT + _BETWEEN) - _BETWEEN + _BELOW + 0.3
    figure, top = style.sheet(width, height, "Anomaly scores of normal and anomalous images", note)
    _key(figure, 0.15 / width, 1 - (top + 0.06) / height)
    for i, (name, (labels, values)) in enumerate(scores.items()):
        left = _LEFT + i % columns * (_WIDTH + _ACROSS)
        down = top + _KEY + 0.3 + i // columns * (_HEIGHT + _BETWEEN)
        plot = style.inch_axes(figure, left, down, _WIDTH, _HEIGHT)
        _histograms(plot, np.asarray(labels), np.asarray(values, np.float64))
        _title(plot, name, float(sk.roc_auc_score(labels, values)))
    figure.text(
        _LEFT / width,
        0.14 / height,
        "The outer bins also hold what lies beyond. Heights: shares of the group's images.",
        fontsize=style.NOTE_SIZE,
        color=style.FAINT_INK,
    )
    return figure


def bin_edges(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(41,) edges of bins that reach as far as the bulk of each group: neither tail can press it into a few bins.

    Evenly spaced, or evenly spaced in the logarithm where `style.wants_log` says so.
    """
    log = style.wants_log(scores)
    values = np.log(scores) if log else scores
    quartiles = np.array([np.percentile(values[labels == label], (25, 75)) for label, *_ in _GROUPS])
    reach = _FENCE * np.diff(quartiles, axis=1)
    low = max(values.min(), (quartiles[:, :1] - reach).min())
    high = min(values.max(), (quartiles[:, 1:] + reach).max())
    if high <= low:
        # Nearly all scores are one number.
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    return np.exp(edges) if log else edges


def _histograms(plot: Axes, labels: np.ndarray, scores: np.ndarray) -> None:
    edges = bin_edges(labels, scores)
    shown = np.clip(scores, edges[0], edges[-1])
    for label, _, colour in _GROUPS:
        group = shown[labels == label]
        shares = np.histogram(group, edges)[0] / len(group)
        plot.stairs(shares, edges, fill=True, color=colour, alpha=0.35)
        plot.stairs(shares, edges, color=colour, linewidth=1.3)
    plot.set_axis_on()
    style.dress(plot)
    plot.set_xscale("log" if style.wants_log(scores) else "linear")
    plot.set(xlim=(edges[0], edges[-1]), yticks=[])
    plot.set_ylim(bottom=0)
    plot.spines["left"].set_visible(False)
    plot.tick_params(labelsize=style.NOTE_SIZE - 1.5)
    if plot.get_xscale() == "linear":
        plot.locator_params(axis="x", nbins=4)


def _title(plot: Axes, name: str, area: float) -> None:
    place = {"xytext": (0, 4), "xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    plot.annotate(style.shorten(name, 22), (0, 1), fontsize=style.NOTE_SIZE + 0.5, color=style.INK, **place)
    plot.annotate(f"AUROC {area:.3f}", (1, 1), fontsize=style.NOTE_SIZE - 1, color=style.FAINT_INK, ha="right", **place)


def _key(figure: Figure, x: float, y: float) -> None:
    handles = [Patch(facecolor=colour, alpha=0.5, edgecolor=colour, label=name) for _, name, colour in _GROUPS]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(x, y),
        borderaxespad=0,
        borderpad=0,
        ncols=2,
        fontsize=style.NOTE_SIZE,
        labelcolor=style.INK,
        frameon=False,
    )
