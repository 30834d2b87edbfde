"""The one-class benchmark in one plot: each method's AUROC on each class."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fanogan_tf.evaluation.figures import style

_LONGEST, _UPRIGHT = 14, 7  # characters of a class's name, and up to how many it is not slanted
_KEY, _ROOM, _LANE = 4.8, 0.72, 0.085  # inches: the legend and the axis, the least width of a group, what each method adds
_DOT = 6.5  # points
_SPREAD = 0.76  # of the way to the next group, taken up by one group's dots


def class_chart(aurocs: dict[str, dict[str, float]], note: str = "") -> Figure:
    """One group of dots per class, a dot per method, and behind them the means.

    A mean is that of the classes which all methods were measured on, so that methods compare; where some were measured on more,
    a second mean shows those that were measured on all.

    Args:
      aurocs: method -> class, the normal or the anomalous one -> AUROC; NaN or left out where it was not measured.
      note: drawn small under the title.
    """
    measured = {name: {of: value for of, value in row.items() if not math.isnan(value)} for name, row in aurocs.items()}
    classes = list(dict.fromkeys(of for row in aurocs.values() for of in row))
    means = class_means(measured, classes)
    groups = [{name: row[of] for name, row in measured.items() if of in row} for of in classes] + list(means.values())
    labels = [style.shorten(of, _LONGEST) for of in classes] + list(means)

    figure, plot = style.axes(_KEY + max(_ROOM, _LANE * len(aurocs)) * len(groups), 5.2, "AUROC by class", note)
    handles = {}
    for i, (name, look) in enumerate(style.looks(list(aurocs)).items()):
        shift = _SPREAD * ((i + 0.5) / len(aurocs) - 0.5)
        places = [(place + shift, group[name]) for place, group in enumerate(groups) if name in group]
        (handles[name],) = plot.plot(*np.reshape(places, (-1, 2)).T, **look.dot(_DOT), zorder=4)
    _lanes(plot, labels, len(classes))
    low = _bottom([value for group in groups for value in group.values()])
    plot.set_ylim(low, 1.0 + 0.02 * (1.0 - low))
    if low < 0.5:
        plot.axhline(0.5, color=style.FAINT_INK, linewidth=1.0, linestyle=":")
    common = "common: the classes that all methods were measured on" if any("common" in name for name in means) else ""
    style.label_axes(plot, common, "AUROC" + (f" (the axis starts at {low:g})" if low > 0 else ""))
    style.key(plot, handles, next(iter(means.values()), {}), "mean AUROC and method")
    return figure


def _lanes(plot: Axes, labels: list[str], classes: int) -> None:
    """Names the groups and draws lines between them; those behind the classes, the means, stand on grey."""
    plot.axvspan(classes - 0.5, len(labels) - 0.5, color=style.GRID, alpha=0.5, linewidth=0, zorder=0)
    plot.set_xticks(range(len(labels)), labels)
    plot.set_xticks(np.arange(0.5, len(labels) - 1), minor=True)
    plot.set_xlim(-0.5, len(labels) - 0.5)
    plot.grid(visible=False, axis="x")
    plot.grid(visible=True, axis="x", which="minor", color=style.GRID, linewidth=0.8)
    plot.tick_params(axis="x", which="both", length=0)
    if max(map(len, labels[:classes])) > _UPRIGHT:
        plot.tick_params(axis="x", labelrotation=30)


def class_means(measured: dict[str, dict[str, float]], classes: list[str]) -> dict[str, dict[str, float]]:
    """What is averaged -> method -> its mean. Of no common class, and of no method with all classes, there is no mean."""
    common = [of for of in classes if all(of in row for row in measured.values())]
    complete = {name: row for name, row in measured.items() if len(row) == len(classes)}
    means = {}
    if common:
        of = "all" if len(common) == len(classes) else f"{len(common)} common"
        means[f"mean of\n{of}"] = {name: float(np.mean([row[of] for of in common])) for name, row in measured.items()}
    if complete and len(common) < len(classes):
        means["mean of\nall"] = {name: float(np.mean(list(row.values()))) for name, row in complete.items()}
    return means


def _bottom(values: list[float]) -> float:
    """The axis' lower end: a twentieth that is at least 0.01 under the lowest value."""
    return max(0.0, math.floor((min(values, default=0.5) - 0.01) * 20) / 20)
