"""ROC and precision-recall curves: of one detector, and of several methods in one plot.

The second is like figures 8 and B2 of the f-AnoGAN paper.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from fanogan_tf.evaluation.figures import style

_MARKS = {"youden": ("Youden point", "o"), "operating_point": ("calibrated threshold", "D")}


def roc(labels: np.ndarray, scores: np.ndarray, metrics: dict, note: str = "") -> Figure:
    """Draws the ROC curve of images with the Youden point and the calibrated operating point.

    Args:
      labels: (N,) of 0 and 1, both present.
      scores: (N,).
      metrics: what `metrics.image_metrics` says of them.
      note: drawn small under the title.
    """
    false_positive_rate, true_positive_rate, _ = sk.roc_curve(labels, scores)
    title = "ROC: anomalous images found against false alarms"
    return _roc_figure(false_positive_rate, true_positive_rate, metrics, title, note, "images")


def pixel_roc(curve: tuple[np.ndarray, np.ndarray], metrics: dict, note: str = "") -> Figure:
    """Draws the ROC curve of pixels: `PixelCounts.roc_curve()` and `PixelCounts.result()`."""
    return _roc_figure(*curve, metrics, "ROC of pixels: residual against the mask", note, "pixels")


def precision_recall(labels: np.ndarray, scores: np.ndarray, metrics: dict, note: str = "") -> Figure:
    """Draws the precision-recall curve of images with the line that guessing would give; arguments as for `roc`."""
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    base_rate = float(np.mean(labels))
    figure, plot = style.axes(6.2, 6.4, "Precision and recall of the anomalous images", note)
    # Average precision is the area under these steps, not under a line through the points.
    label = f"average precision {metrics['average_precision']:.3f}"
    plot.plot(recall, precision, drawstyle="steps-post", color=style.ANOMALOUS_COLOUR, linewidth=2.2, label=label, zorder=3)
    plot.axhline(base_rate, color=style.FAINT_INK, linewidth=1.2, linestyle="--", label=f"chance: base rate {base_rate:.3f}")
    for key, (name, marker) in _MARKS.items():
        point = metrics[key]
        if point["precision"] is not None:
            text = f"{name}: precision {point['precision']:.3f},\nrecall {point['sensitivity']:.3f}"
            _mark(plot, point["sensitivity"], point["precision"], text, marker)
    style.unit_square(plot)
    style.label_axes(plot, "recall (sensitivity): anomalous images found", "precision: calls of anomalous that are right")
    style.legend(plot, loc="lower left")
    return figure


def screening(found: dict, note: str = "") -> Figure:
    """Draws how many normal images each filter takes off the reader, against the diseased ones that it lets through.

    found: `screening.figures`. note: drawn small under the title.
    """
    figure, plot = style.axes(6.2, 6.4, "Work saved against diseased images read", note)
    curve, here = found["curve"], [found[name] for name in ("sensitivity", "specificity")]
    plot.plot(curve["sensitivity"], curve["specificity"], color=style.NORMAL_COLOUR, linewidth=2.2, label="filters", zorder=3)
    x, y = (of["value"] for of in here)
    spreads = [[[of["value"] - of["low"]], [of["high"] - of["value"]]] for of in here]
    plot.errorbar([x], [y], xerr=spreads[0], yerr=spreads[1], color=style.INK, linewidth=1.2, capsize=3, zorder=4)
    _mark(plot, x, y, f"this filter: sensitivity {x:.3f},\n{y:.1%} of normal images taken off", "D")
    style.unit_square(plot)
    style.label_axes(plot, "sensitivity: diseased images that go to the reader", "normal images taken off the reader")
    style.legend(plot, loc="lower left")
    return figure


def roc_overlay(scores: dict[str, tuple[np.ndarray, np.ndarray]], note: str = "") -> Figure:
    """Draws one ROC curve of images per method.

    Args:
      scores: method -> labels (N,) of 0 and 1, both present, and scores (N,).
      note: drawn small under the title.
    """
    curves = {}
    for name, (labels, values) in scores.items():
        false_positive_rate, true_positive_rate, _ = sk.roc_curve(labels, values)
        curves[name] = false_positive_rate, true_positive_rate, float(sk.auc(false_positive_rate, true_positive_rate))
    return _overlay(curves, "ROC of the methods: anomalous images found against false alarms", note, "images")


def pixel_roc_overlay(curves: dict[str, tuple[np.ndarray, np.ndarray, float]], note: str = "") -> Figure:
    """Draws one ROC curve of pixels per method.

    Args:
      curves: method -> false positive rates (K,) and true positive rates (K,), as of `PixelCounts.roc_curve()`, and the AUROC.
      note: drawn small under the title.
    """
    return _overlay(curves, "ROC of pixels: each method's residual against the mask", note, "pixels")


def _roc_figure(
    false_positive_rate: np.ndarray, true_positive_rate: np.ndarray, metrics: dict, title: str, note: str, unit: str
) -> Figure:
    figure, plot = style.axes(6.2, 6.4, title, note)
    label = f"AUROC {metrics['auroc']:.3f}"
    plot.plot(false_positive_rate, true_positive_rate, color=style.ANOMALOUS_COLOUR, linewidth=2.2, label=label, zorder=3)
    plot.plot([0, 1], [0, 1], color=style.FAINT_INK, linewidth=1.2, linestyle="--", label="chance (0.500)")
    for key, (name, marker) in _MARKS.items():
        if key in metrics:
            point = metrics[key]
            text = f"{name}: sensitivity {point['sensitivity']:.3f},\nspecificity {point['specificity']:.3f}"
            _mark(plot, 1 - point["specificity"], point["sensitivity"], text, marker)
    style.unit_square(plot)
    style.label_axes(plot, f"false positive rate: normal {unit} called anomalous", f"sensitivity: anomalous {unit} found")
    style.legend(plot, loc="lower right")
    return figure


def _overlay(curves: dict[str, tuple[np.ndarray, np.ndarray, float]], title: str, note: str, unit: str) -> Figure:
    figure, plot = style.axes(9.7, 6.4, title, note)
    areas = {name: area for name, (*_, area) in curves.items()}
    handles = {}
    for name, look in style.looks(list(curves)).items():
        # The best curve lies on top.
        above = 3 + areas[name]
        (handles[name],) = plot.plot(*curves[name][:2], color=look.colour, linestyle=look.line, linewidth=1.9, zorder=above)
    plot.plot([0, 1], [0, 1], color=style.FAINT_INK, linewidth=1.0, linestyle=":")
    style.unit_square(plot)
    plot.set_anchor("W")
    style.label_axes(plot, f"false positive rate: normal {unit} called anomalous", f"sensitivity: anomalous {unit} found")
    style.key(plot, handles, areas, "AUROC and method")
    return figure


def _mark(plot: Axes, x: float, y: float, label: str, marker: str) -> None:
    # Hollow, so that two marks on one spot are both seen.
    size = 11 if marker == "o" else 6.5
    plot.plot(
        [x],
        [y],
        marker,
        markersize=size,
        markerfacecolor="none",
        markeredgecolor=style.INK,
        markeredgewidth=1.8,
        label=label,
        zorder=5,
        clip_on=False,
    )
