"""How methods are told apart in one plot: a colour, a line and a marker for each, the same in every figure of a report."""

from typing import NamedTuple

from matplotlib.axes import Axes

from fanogan_tf.evaluation import style

# Okabe and Ito's palette but for its yellow, which white paper swallows.
_COLOURS = (style.ANOMALOUS_COLOUR, style.NORMAL_COLOUR, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", (0, (4.5, 1.6)), (0, (1.2, 1.2)))
_MARKERS = ("o", "D", "^")
_LONGEST = 30  # characters of a name in a legend


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


def key(plot: Axes, handles: dict, values: dict[str, float], title: str) -> None:
    """The legend to the right of the plot, where it hides nothing: values and names, the highest on top.

    Args:
      handles: name -> what was drawn.
      values: name -> its value; a name without one comes last.
      title: what the values are.
    """
    order = sorted(handles, key=lambda name: -values.get(name, -1.0))
    numbers = [f"{values[name]:.3f}" if name in values else "none " for name in order]
    labels = [f"{number}  {style.shorten(name, _LONGEST)}" for number, name in zip(numbers, order, strict=True)]
    style.legend(plot, [handles[name] for name in order], labels, title=title, loc="center left", bbox_to_anchor=(1.02, 0.5))
    drawn = plot.get_legend()
    drawn.get_title().set(fontsize=style.TEXT_SIZE - 0.5, color=style.FAINT_INK)
    drawn.set_alignment("left")
    drawn.get_frame().set_linewidth(0)
