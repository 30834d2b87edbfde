"""The ROC curves of several methods in one plot (f-AnoGAN paper, figures 8 and B2)."""

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics as sk

from fanogan_tf.evaluation import looks, style


def roc_overlay(scores: dict[str, tuple[np.ndarray, np.ndarray]], note: str = "") -> Figure:
    """One ROC curve of images per method.

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
    """One ROC curve of pixels per method.

    Args:
      curves: method -> false positive rates (K,) and true positive rates (K,), as of `PixelCounts.roc_curve()`, and the AUROC.
      note: drawn small under the title.
    """
    return _overlay(curves, "ROC of pixels: each method's residual against the mask", note, "pixels")


def _overlay(curves: dict[str, tuple[np.ndarray, np.ndarray, float]], title: str, note: str, unit: str) -> Figure:
    figure, plot = style.axes(9.7, 6.4, title, note)
    areas = {name: area for name, (*_, area) in curves.items()}
    handles = {}
    for name, look in looks.looks(list(curves)).items():
        # The best curve lies on top.
        above = 3 + areas[name]
        (handles[name],) = plot.plot(*curves[name][:2], color=look.colour, linestyle=look.line, linewidth=1.9, zorder=above)
    plot.plot([0, 1], [0, 1], color=style.FAINT_INK, linewidth=1.0, linestyle=":")
    style.unit_square(plot)
    plot.set_anchor("W")
    style.label_axes(plot, f"false positive rate: normal {unit} called anomalous", f"sensitivity: anomalous {unit} found")
    looks.key(plot, handles, areas, "AUROC and method")
    return figure
