"""The look that all figures share, and how methods are told apart: a colour, a line and a marker for each, in all figures alike.

Figures are made as objects, without pyplot, so no state outlives a call.
"""

import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend

from fanogan_tf import files

# Okabe and Ito's blue and vermilion: told apart with any kind of colour blindness, and in grey print by their lightness.
NORMAL_COLOUR = "#0072B2"
ANOMALOUS_COLOUR = "#D55E00"
UNKNOWN_COLOUR = "#767676"
INK, FAINT_INK, GRID, SPINE = "#1f2933", "#5f6b76", "#e4e8ec", "#b5bec7"
DPI = 150
TITLE_SIZE, TEXT_SIZE, NOTE_SIZE = 13, 10.5, 9.5
_INCH = 72.0  # points
# Okabe and Ito's palette but for its yellow, which white paper swallows.
_COLOURS = (ANOMALOUS_COLOUR, NORMAL_COLOUR, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", (0, (4.5, 1.6)), (0, (1.2, 1.2)))
_MARKERS = ("o", "D", "^")
_LONGEST = 30  # characters of a name in a legend


def axes(width: float, height: float, title: str, note: str) -> tuple[Figure, Axes]:
    """A figure of width x height inches with one plot, its title and under it the note; "" for no note."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    plot = figure.add_subplot()
    lines = _wrapped(note, width)
    plot.set_title(title, loc="left", fontsize=TITLE_SIZE, color=INK, pad=10 + 13 * len(lines), fontweight="bold")
    plot.annotate(
        "\n".join(lines),
        (0, 1),
        xytext=(0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=NOTE_SIZE,
        color=FAINT_INK,
        va="bottom",
    )
    dress(plot)
    return figure, plot


def sheet(width: float, height: float, title: str, note: str) -> tuple[Figure, float]:
    """A figure of width x height inches for rows of images placed by `inch_axes`.

    Returns:
      the figure, and how many inches from the top its heading takes.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    lines = _wrapped(note, width)
    figure.text(0.15 / width, 1 - 0.15 / height, title, fontsize=TITLE_SIZE, color=INK, va="top", fontweight="bold")
    figure.text(0.15 / width, 1 - 0.42 / height, "\n".join(lines), fontsize=NOTE_SIZE, color=FAINT_INK, va="top")
    return figure, heading_height(width, note)


def inch_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes without frame or ticks; all in inches, `top` counted down from the figure's upper edge."""
    full_width, full_height = figure.get_size_inches()
    plot = figure.add_axes((left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height))
    plot.set_axis_off()
    return plot


def heading_height(width: float, note: str) -> float:
    """Inches that title and note take on a `sheet`."""
    return 0.45 + 13 * len(_wrapped(note, width)) / _INCH


def dress(plot: Axes) -> None:
    """Grid, ticks and frame as all plots have them."""
    plot.grid(color=GRID, linewidth=0.8)
    plot.set_axisbelow(True)
    plot.tick_params(labelsize=TEXT_SIZE, labelcolor=INK, color=SPINE, which="both")
    plot.spines[["top", "right"]].set_visible(False)
    plot.spines[["left", "bottom"]].set_color(SPINE)


def unit_square(plot: Axes) -> None:
    """Both axes from 0 to 1, equally long."""
    plot.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def label_axes(plot: Axes, x: str, y: str) -> None:
    """Names the two axes."""
    plot.set_xlabel(x, fontsize=TEXT_SIZE, color=INK, labelpad=6)
    plot.set_ylabel(y, fontsize=TEXT_SIZE, color=INK, labelpad=6)


def legend(plot: Axes, *entries: list, **place: Any) -> Legend:
    """Draws the legend; `entries` are handles and labels, if not all; `place`: where, in matplotlib's own words."""
    return plot.legend(
        *entries, fontsize=TEXT_SIZE - 0.5, labelcolor=INK, facecolor="white", edgecolor=GRID, framealpha=0.95, **place
    )


def key(plot: Axes, handles: dict, values: dict[str, float], title: str) -> None:
    """The legend to the right of the plot, where it hides nothing: values and names, the highest on top.

    Args:
      handles: name -> what was drawn.
      values: name -> its value; a name without one comes last.
      title: what the values are.
    """
    order = sorted(handles, key=lambda name: -values.get(name, -1.0))
    numbers = [f"{values[name]:.3f}" if name in values else "none " for name in order]
    labels = [f"{number}  {shorten(name, _LONGEST)}" for number, name in zip(numbers, order, strict=True)]
    drawn = legend(plot, [handles[name] for name in order], labels, title=title, loc="center left", bbox_to_anchor=(1.02, 0.5))
    drawn.get_title().set(fontsize=TEXT_SIZE - 0.5, color=FAINT_INK)
    drawn.set_alignment("left")
    drawn.get_frame().set_linewidth(0)


class Look(NamedTuple):
    """`hollow`: the marker is drawn as an outline."""

    colour: str
    line: str | tuple
    marker: str
    hollow: bool

    def dot(self, size: float) -> dict:
        """The marker alone, `size` points wide, as arguments of `Axes.plot`."""
        face = "white" if self.hollow else self.colour
        return {
            "linestyle": "none",
            "marker": self.marker,
            "markersize": size,
            "markerfacecolor": face,
            "markeredgecolor": self.colour,
            "markeredgewidth": 1.3,
        }


def looks(names: list[str]) -> dict[str, Look]:
    """A look for each of up to 21 names, by their order: where it stays the same, a method looks the same in all figures.

    Seven colours that any kind of colour blindness leaves apart; from the eighth name on other lines and markers. Later names
    start over.
    """
    rounds = [(i % len(_COLOURS), i // len(_COLOURS) % len(_LINES)) for i in range(len(names))]
    return {
        name: Look(_COLOURS[colour], _LINES[turn], _MARKERS[turn], turn > 0)
        for name, (colour, turn) in zip(names, rounds, strict=True)
    }


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with files.whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def shorten(name: str, width: int = 36) -> str:
    """A name cut in its middle to at most `width` characters: beginnings and ends tell files and classes apart."""
    return name if len(name) <= width else f"{name[: width - width // 2 - 1]}…{name[-(width // 2) :]}"


def wants_log(scores: np.ndarray) -> bool:
    """Whether scores spread so far that a linear axis would press most of them into one place."""
    low, high = np.percentile(scores, [5, 99.5])
    return bool(scores.min() > 0 and high > 20 * low)


def _wrapped(note: str, width: float) -> list[str]:
    """The note in lines that fit a figure of `width` inches."""
    return textwrap.wrap(note, int(width * 12)) if note else []
