"""Distributions of scores: histogram and box plot of one detector, and a grid of histograms of several methods.

The grid is like figure B3 of the f-AnoGAN paper.
"""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from sklearn import metrics as sk

from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation import metrics
from fanogan_tf.evaluation.figures import style

_BINS = 50
_PERCENTILE = 99.5
_GROUPS = (
    (metrics.NORMAL, "normal", style.NORMAL_COLOUR),
    (metrics.ANOMALOUS, "anomalous", style.ANOMALOUS_COLOUR),
    (metrics.UNKNOWN, "not labelled", style.UNKNOWN_COLOUR),
)
_COLUMNS, _BINS_OF_GRID = 4, 40
_WIDTH, _HEIGHT, _LEFT, _ACROSS, _BETWEEN = 2.75, 1.35, 0.2, 0.25, 0.75  # inches: a histogram, and the room around it
_KEY, _BELOW = 0.4, 0.62  # inches: room for the legend, and under the last row
_LABELLED = (
    (metrics.NORMAL, "normal images", style.NORMAL_COLOUR),
    (metrics.ANOMALOUS, "anomalous images", style.ANOMALOUS_COLOUR),
)
_FENCE = 2.0  # interquartile ranges beyond the quartiles of a group, of normally spread scores all but 1 in 1,000


def histogram(table: ScoreTable, threshold: float, note: str = "") -> Figure:
    """Draws the scores of each group of images, each group's bars adding up to 100 %, with the calibrated threshold.

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
    """Draws the scores of each class: boxes are quartiles, whiskers reach 1.5 box lengths at most, dots are the images beyond.

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
    handles: list[Artist] = [line]
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


def score_grid(scores: dict[str, tuple[np.ndarray, np.ndarray]], note: str = "") -> Figure:
    """Draws for each method the shares of its normal and of its anomalous images over their scores, each adding up to 100 %.

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


def bin_edges(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Places (51,) edges of bins that all groups share, from the lowest score to the 99.5th percentile, the threshold inside.

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


def bin_edges_by_group(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Places (41,) edges of bins that reach as far as the bulk of each group: neither tail can press it into a few bins.

    Evenly spaced, or evenly spaced in the logarithm where `style.wants_log` says so.
    """
    log = style.wants_log(scores)
    values = np.log(scores) if log else scores
    quartiles = np.array([np.percentile(values[labels == label], (25, 75)) for label, *_ in _LABELLED])
    reach = _FENCE * np.diff(quartiles, axis=1)
    low = max(values.min(), (quartiles[:, :1] - reach).min())
    high = min(values.max(), (quartiles[:, 1:] + reach).max())
    if high <= low:
        # Nearly all scores are one number.
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS_OF_GRID + 1)
    return np.exp(edges) if log else edges


def _class_colour(table: ScoreTable, rows: np.ndarray) -> str:
    if metrics.is_normal_class(table, rows):
        return style.NORMAL_COLOUR
    return style.ANOMALOUS_COLOUR if (table.label[rows] == metrics.ANOMALOUS).any() else style.UNKNOWN_COLOUR


def _threshold_line(plot: Axes, threshold: float) -> Line2D:
    return plot.axvline(threshold, color=style.INK, linewidth=1.6, linestyle="--", label=f"threshold {threshold:.3g}")


def _histograms(plot: Axes, labels: np.ndarray, scores: np.ndarray) -> None:
    edges = bin_edges_by_group(labels, scores)
    shown = np.clip(scores, edges[0], edges[-1])
    for label, _, colour in _LABELLED:
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
    place: dict[str, Any] = {"xytext": (0, 4), "xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    plot.annotate(style.shorten(name, 22), (0, 1), fontsize=style.NOTE_SIZE + 0.5, color=style.INK, **place)
    plot.annotate(f"AUROC {area:.3f}", (1, 1), fontsize=style.NOTE_SIZE - 1, color=style.FAINT_INK, ha="right", **place)


def _key(figure: Figure, x: float, y: float) -> None:
    handles = [Patch(facecolor=colour, alpha=0.5, edgecolor=colour, label=name) for _, name, colour in _LABELLED]
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
