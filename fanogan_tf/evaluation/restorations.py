"""The same images as every method restores them, and where it finds them anomalous (f-AnoGAN paper, figures 6, 7, A1 and A2)."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from fanogan_tf.evaluation import strips, style

_CELL, _LEFT, _RIGHT = 0.72, 1.6, 1.05  # inches: width of an image, room for the row names, room for the colour bar
_TITLES, _ABOVE, _BELOW = 0.22, 0.14, 0.15  # inches: the images' titles, free above each method, free under the last
_LONGEST = 18  # characters of a method's name in one line
_OUTLINE = "#56B4E9"  # Okabe and Ito's sky blue: seen on grey and beside vermilion
# The stronger the residual, the less is seen of the image under it.
_HEAT = LinearSegmentedColormap.from_list("heat", [(style.ANOMALOUS_COLOUR, 0.0), (style.ANOMALOUS_COLOUR, 1.0)])


def restorations(
    images: np.ndarray, titles: list[str], restored: dict[str, np.ndarray], note: str = "", masks: np.ndarray | None = None
) -> Figure:
    """A row of images, then for each method a row of what it restores and a row of residuals over the images, on one scale.

    Args:
      images: (N, H, W, 1) in [-1, 1].
      titles: what to write above each image; there is room for 11 characters.
      restored: method -> G(z), (N, H, W, 1) in [-1, 1].
      note: drawn small under the title.
      masks: (N, H, W, 1), 1 where a pixel is known to be anomalous, drawn as an outline; or None.
    """
    count = len(images)
    cell = count * _CELL * images.shape[1] / strips.strip_width(count, images.shape[2])
    width = _LEFT + count * _CELL + _RIGHT
    step = 1.05 * cell  # from one row of a method to the next
    rows = _TITLES + step + len(restored) * (2 * step + _ABOVE) + _BELOW
    height = max(style.heading_height(width, note) + rows, 3.2)
    figure, top = style.sheet(width, height, "Images as the methods restore them, and the residuals", note)

    def row(name: str, down: float, faint: bool = False) -> Axes:
        plot = style.inch_axes(figure, _LEFT, down, count * _CELL, cell)
        colour, size = (style.FAINT_INK, style.NOTE_SIZE - 1) if faint else (style.INK, style.NOTE_SIZE)
        plot.annotate(
            name,
            (0, 0.5),
            xytext=(-7, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=size,
            color=colour,
        )
        return plot

    residuals = {name: np.abs(images - some) for name, some in restored.items()}
    most = strips.hottest(list(residuals.values()))
    seen = strips.strip(images, count)
    down = top + _TITLES
    plot = row("input", down)
    strips.draw(plot, seen, "gray", -1.0, 1.0)
    _titles(plot, titles, images.shape[2])
    _outline(plot, masks)
    down += step
    for name, some in restored.items():
        down += _ABOVE
        strips.draw(row(textwrap.fill(style.shorten(name), _LONGEST), down), strips.strip(some, count), "gray", -1.0, 1.0)
        plot = row("residual", down + step, faint=True)
        strips.draw(plot, seen, "gray", -1.0, 1.0)
        heat = strips.draw(plot, strips.strip(residuals[name], count), _HEAT, 0.0, most)
        _outline(plot, masks)
        down += 2 * step
    if restored:
        strips.colour_bar(figure, heat, width - _RIGHT + 0.15, top + _TITLES, "residual |x - G(z)|")
    return figure


def _titles(plot: Axes, titles: list[str], width: int) -> None:
    for column, title in enumerate(titles):
        plot.annotate(
            style.shorten(title, 11),
            (strips.centre(column, width), -0.5),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=style.NOTE_SIZE - 2,
            color=style.FAINT_INK,
            annotation_clip=False,
        )


def _outline(plot: Axes, masks: np.ndarray | None) -> None:
    """Draws the edge of each mask."""
    if masks is None or not masks.any():
        return
    # A free pixel all around closes outlines at the strip's own edge.
    marked = np.pad(np.nan_to_num(strips.strip(masks, len(masks))), 1)
    across, down = (np.arange(-1, length - 1) for length in marked.shape[::-1])
    plot.autoscale(False)
    plot.contour(across, down, marked, [0.5], colors=[_OUTLINE], linewidths=1.2)
