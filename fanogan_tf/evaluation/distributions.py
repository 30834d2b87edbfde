"""Where the scores lie: the histogram of normal and anomalous images, and the box plot per class."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation import metrics, style

_BINS = 50
_PERCENTILE = 99.5
_GROUPS = (
    (metrics.NORMAL, "normal", style.NORMAL_COLOUR),
    (metrics.ANOMALOUS, "anomalous", style.ANOMALOUS_COLOUR),
    (metrics.UNKNOWN, "not labelled", style.UNKNOWN_COLOUR),
)


def bin_edges(scores: np.ndarray, threshold: float) -> np.ndarray:
    """(51,) edges of the bins all groups share: from the lowest score to the 99.5th percentile, with the threshold inside.

    Evenly spaced, or evenly spaced in the logarithm where `style.wants_log` says so. One outlier then cannot press all others
    into the first bin.
    """
    low, high = scores.min(), np.percentile(scores, _PERCENTILE)
    log = style.wants_log(scores)
    if not log or threshold > 0:
        low, high = min(low, threshold), max(high, threshold)
    if high <= low:
        # All scores and the threshold are one number.
        low, high = low - 0.5, high + 0.5
    return np.geomspace(low, high, _BINS + 1) if log else np.linspace(low, high, _BINS + 1)


def histogram(table: ScoreTable, threshold: float, note: str = "") -> Figure:
    """Scores of each group of images, each group's bars adding up to 100 %, with the calibrated threshold.

    Scores above the last bin are counted in it, and the axis says so.
    """
    figure, plot = style.axes(7.6, 4.6, "Anomaly scores of normal and anomalous images", note)
    edges = bin_edges(table.score, threshold)
    shown = np.clip(table.score, edges[0], edges[-1])
    for label, name, colour in _GROUPS:
        scores = shown[table.label == label]
        if len(scores):
            shares = np.histogram(scores, edges)[0] / len(scores)
            plot.stairs(shares, edges, fill=True, color=colour, alpha=0.35)
            plot.stairs(shares, edges, color=colour, linewidth=1.6, label=f"{name} ({len(scores):,} images)")
    _threshold_line(plot, threshold)
    log = style.wants_log(table.score)
    outside = int((table.score > edges[-1]).sum())
    scale = ", logarithmic axis" if log else ""
    rest = f"; the last bin also holds {outside:,} above it" if outside else ""
    plot.set_xscale("log" if log else "linear")
    plot.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    plot.set_ylim(bottom=0)
    style.label_axes(plot, f"anomaly score{scale}{rest}", "share of the group's images")
    style.legend(plot, loc="best")
    return figure


def boxplot(table: ScoreTable, threshold: float, note: str = "") -> Figure:
    """Scores of each class: boxes are quartiles, whiskers reach 1.5 box lengths at most, dots are the images beyond.

    Boxes lie on their side so that long class names have room; classes that hold normal images are on top.
    """
    rows = metrics.class_rows(table)
    figure, plot = style.axes(7.6, 2.4 + 0.38 * len(rows), "Anomaly score of each class", note)
    for position, (name, chosen) in enumerate(rows.items()):
        colour = _class_colour(table, chosen)
        drawn = plot.boxplot(
            [table.score[chosen]],
            positions=[position],
            orientation="horizontal",
            widths=0.62,
            patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
            medianprops={"color": style.INK, "linewidth": 1.8},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            flierprops={"marker": ".", "markersize": 4, "markerfacecolor": colour, "markeredgecolor": "none", "alpha": 0.5},
        )
        drawn["boxes"][0].set_label(name)
    labels = [f"{style.shorten(name)} ({int(chosen.sum()):,})" for name, chosen in rows.items()]
    plot.set_yticks(range(len(rows)), labels)
    plot.set_ylim(len(rows) - 0.4, -0.6)
    plot.grid(visible=False, axis="y")
    line = _threshold_line(plot, threshold)
    log = style.wants_log(table.score)
    plot.set_xscale("log" if log else "linear")
    style.label_axes(plot, "anomaly score" + (", logarithmic axis" if log else ""), "")
    handles = [line]
    for label, name, colour in _GROUPS:
        if (table.label == label).any():
            handles.append(plot.fill_between([], [], facecolor=colour, alpha=0.35, edgecolor=colour, label=name))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        fontsize=style.TEXT_SIZE - 0.5,
        labelcolor=style.INK,
        frameon=False,
    )
    return figure


def _class_colour(table: ScoreTable, rows: np.ndarray) -> str:
    if metrics.is_normal_class(table, rows):
        return style.NORMAL_COLOUR
    return style.ANOMALOUS_COLOUR if (table.label[rows] == metrics.ANOMALOUS).any() else style.UNKNOWN_COLOUR


def _threshold_line(plot: Axes, threshold: float):
    return plot.axvline(threshold, color=style.INK, linewidth=1.6, linestyle="--", label=f"threshold {threshold:.3g}")
