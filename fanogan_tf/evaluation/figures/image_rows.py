"""Figures of images side by side: test images beside what is restored of them, and one image restored by every method.

The latter are figures 6, 7, A1 and A2 of the f-AnoGAN paper.
"""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation import metrics
from fanogan_tf.evaluation.figures import style


def gap(width: int) -> int:
    """Pixels left free between neighbours that are `width` pixels wide."""
    return max(1, round(0.06 * width))


def strip_width(columns: int, width: int) -> int:
    """Pixels from the left edge of the first image to the right edge of the last."""
    return columns * (width + gap(width)) - gap(width)


def strip(images: np.ndarray, columns: int) -> np.ndarray:
    """(N, H, W, 1) with N <= columns as one float image (H, strip_width); NaN where there is none."""
    count, height, width = images.shape[:3]
    step = width + gap(width)
    row = np.full((height, strip_width(columns, width)), np.nan)
    for i in range(count):
        row[:, i * step : i * step + width] = images[i, ..., 0]
    return row


def centre(column: int, width: int) -> float:
    """Horizontal middle, in pixels of the strip, of the image in `column`."""
    return column * (width + gap(width)) + (width - 1) / 2


def draw(plot: Axes, row: np.ndarray, colours: str | Colormap, low: float, high: float) -> AxesImage:
    """Shows a strip; its free places stay white."""
    # Small images keep sharp pixels; large ones are shrunk, and must be smoothed for that.
    interpolation = "nearest" if row.shape[0] <= 128 else "antialiased"
    return plot.imshow(row, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation=interpolation)


def upper_end(residuals: list[np.ndarray]) -> float:
    """The upper end of one colour scale for all residuals: their 99.5th percentile; 1 where there are none."""
    # Not the maximum: one hot pixel would leave everything else without colour.
    return max(float(np.percentile(np.concatenate(residuals), 99.5)), 1e-3) if residuals else 1.0


def colour_bar(figure: Figure, heat: AxesImage, left: float, top: float, label: str) -> None:
    """The scale of residuals, with its place in inches as for `style.inch_axes`."""
    place = style.inch_axes(figure, left, top, 0.16, 2.2)
    place.set_axis_on()
    bar = figure.colorbar(heat, cax=place, extend="max")
    bar.set_label(label, fontsize=style.NOTE_SIZE, color=style.INK)
    bar.ax.tick_params(labelsize=style.NOTE_SIZE - 1, labelcolor=style.INK, color=style.SPINE)
    bar.outline.set_edgecolor(style.SPINE)


def frame(plot: Axes, column: int, height: int, width: int, colour: str) -> None:
    """Frames one image of a strip."""
    left = column * (width + gap(width)) - 0.5
    plot.add_patch(Rectangle((left, -0.5), width, height, fill=False, edgecolor=colour, linewidth=2.5, clip_on=False))


PER_KIND = 8
_CELL, _LEFT, _RIGHT = 0.8, 1.25, 1.15  # inches: width of an image, room for the row names, room for the colour bar
_NAME = 26  # Characters of a file's name under its image.
_HEADER, _SCORES, _BELOW, _NONE = 0.34, 0.2, 0.28, 0.3  # inches: a block's name, its line of scores, space under it, "none"


def kinds(table: ScoreTable) -> dict[str, np.ndarray]:
    """Name of a kind of call -> row numbers. Four kinds where labels are known, two where none is."""
    normal, anomalous = table.label == metrics.NORMAL, table.label == metrics.ANOMALOUS
    called = table.anomalous
    if not (normal.any() or anomalous.any()):
        masks = {"Taken for normal": ~called, "Taken for anomalous": called}
    else:
        masks = {
            "Normal, taken for normal": normal & ~called,
            "Normal, taken for anomalous (false alarm)": normal & called,
            "Anomalous, taken for anomalous": anomalous & called,
            "Anomalous, taken for normal (missed)": anomalous & ~called,
        }
    return {name: np.flatnonzero(mask) for name, mask in masks.items()}


def choose(rows: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """At most 8 row numbers of each kind, drawn at random so that nobody picks the fine ones."""
    random = np.random.default_rng(seed)
    return {name: np.sort(random.choice(some, min(PER_KIND, len(some)), replace=False)) for name, some in rows.items()}


def look(
    table: ScoreTable, positions: np.ndarray, detector: Detector, test: ImageSet, seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Measures the images that `reconstructions` shows, at most 8 of each kind of call.

    Args:
      table: the scores.
      positions: (N,) the place of each table row in `test`.
      detector: restores the chosen images.
      test: the images.
      seed: of the choice.

    Returns:
      name of a kind -> `rows` (K,), numbers of rows in the table, and where there are any, top row of the figure first: `input`,
      `reconstruction`, `residual`, and `mask` where there are masks, each (K, H, W, 1).
    """
    return {
        name: {"rows": rows, **_rows_of_images(positions[rows], detector, test)}
        for name, rows in choose(kinds(table), seed).items()
    }


def reconstructions(table: ScoreTable, looked: dict[str, dict[str, np.ndarray]], note: str = "") -> Figure:
    """Rows of input, reconstruction, residual (and mask where there is one) for each kind of call.

    Args:
      table: the scores.
      looked: what `look` returned for them.
      note: drawn small under the title.
    """
    found = kinds(table)
    blocks = {
        name: (block["rows"], {row: images for row, images in block.items() if row != "rows"}) for name, block in looked.items()
    }
    residuals = [content["residual"] for _, content in blocks.values() if content]
    hottest = upper_end(residuals)
    image_shape = residuals[0].shape[1:]

    # Pixels stay square: a strip's width and height are in the proportion of their pixels.
    cell = PER_KIND * _CELL * image_shape[0] / strip_width(PER_KIND, image_shape[1])
    width = _LEFT + PER_KIND * _CELL + _RIGHT
    heights = [_HEADER + _BELOW + (_SCORES + len(content) * cell * 1.05 if content else _NONE) for _, content in blocks.values()]
    height = style.heading_height(width, note) + sum(heights)
    figure, top = style.sheet(width, height, "Test images, their reconstructions and residuals", note)
    bar_top, heat = top + _HEADER, None
    for (name, (rows, content)), block_height in zip(blocks.items(), heights, strict=True):
        title = f"{name}: {len(rows)} of {len(found[name]):,}" if content else name
        figure.text(0.15 / width, 1 - (top + 0.1) / height, title, fontsize=style.TEXT_SIZE + 0.5, color=style.INK, va="top")
        if content:
            heat = _draw_block(figure, top + _HEADER + _SCORES, cell, content, table.score[rows], hottest)
        else:
            figure.text(
                _LEFT / width,
                1 - (top + _HEADER + 0.1) / height,
                "none",
                fontsize=style.TEXT_SIZE,
                color=style.FAINT_INK,
                va="top",
            )
        top += block_height
    if heat is not None:
        colour_bar(figure, heat, width - _RIGHT + 0.2, bar_top + _SCORES, "residual |x - G(E(x))|")
    return figure


def missed(kept: dict[str, np.ndarray], note: str = "") -> Figure:
    """Diseased images that a filter misses, row by row, their names below.

    kept: see `Measured.missed`. note: drawn small under the title.
    """
    images, names = kept["images"], kept["names"]
    across = 6
    wide, down = 1.35, -(-len(images) // across)
    tall = wide * images.shape[1] / images.shape[2]
    width = 0.3 + across * wide
    height = style.heading_height(width, note) + down * (tall + _SCORES) + 0.1
    figure, top = style.sheet(width, height, "Diseased images that the filter misses", note)
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        row, column = divmod(number, across)
        plot = style.inch_axes(figure, 0.15 + column * wide, top + row * (tall + _SCORES), wide * 0.94, tall * 0.94)
        plot.imshow(image, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="antialiased")
        shown = style.shorten(str(name).rpartition("/")[2], _NAME)
        plot.set_title(shown, y=-0.13, fontsize=style.NOTE_SIZE - 3.5, color=style.INK, pad=0)
    return figure


def _rows_of_images(positions: np.ndarray, detector: Detector, test: ImageSet) -> dict[str, np.ndarray]:
    """Row name -> (K, H, W, 1), top row first; empty for no images."""
    if not len(positions):
        return {}
    images = detector.shown(test.float_images(positions))
    measured = detector.measure(*test.inputs(positions, detector.INPUTS))
    rows = {"input": images, "reconstruction": measured["reconstruction"], "residual": measured["residual"]}
    if test.masks is not None:
        rows["mask"] = np.asarray(test.masks[positions])
    return rows


def _draw_block(
    figure: Figure, top: float, cell: float, content: dict[str, np.ndarray], scores: np.ndarray, hottest: float
) -> AxesImage | None:
    """Draws one kind's images from `top` inches downwards; returns the residuals' image for the colour bar."""
    scales = {"residual": ("inferno", 0.0, hottest), "mask": ("gray", 0.0, 1.0)}
    heat = None
    for line, (name, images) in enumerate(content.items()):
        plot = style.inch_axes(figure, _LEFT, top + line * cell * 1.05, PER_KIND * _CELL, cell)
        drawn = draw(plot, strip(images, PER_KIND), *scales.get(name, ("gray", -1.0, 1.0)))
        plot.text(-0.012, 0.5, name, transform=plot.transAxes, ha="right", va="center", fontsize=style.NOTE_SIZE, color=style.INK)
        if name == "residual":
            heat = drawn
        if line == 0:
            for column, score in enumerate(scores):
                place = centre(column, images.shape[2])
                plot.annotate(
                    f"{score:.3g}",
                    (place, -0.5),
                    xytext=(0, 2.5),
                    textcoords="offset points",
                    ha="center",
                    fontsize=style.NOTE_SIZE - 1.5,
                    color=style.FAINT_INK,
                    annotation_clip=False,
                )
    return heat


_RESTORED_CELL, _RESTORED_LEFT, _RESTORED_RIGHT = (
    0.72,
    1.6,
    1.05,
)  # inches: width of an image, room for the row names, room for the colour bar
_TITLES, _ABOVE, _RESTORED_BELOW = 0.22, 0.14, 0.15  # inches: the images' titles, free above each method, free under the last
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
    cell = count * _RESTORED_CELL * images.shape[1] / strip_width(count, images.shape[2])
    width = _RESTORED_LEFT + count * _RESTORED_CELL + _RESTORED_RIGHT
    step = 1.05 * cell  # from one row of a method to the next
    rows = _TITLES + step + len(restored) * (2 * step + _ABOVE) + _RESTORED_BELOW
    height = max(style.heading_height(width, note) + rows, 3.2)
    figure, top = style.sheet(width, height, "Images as the methods restore them, and the residuals", note)

    def row(name: str, down: float, faint: bool = False) -> Axes:
        plot = style.inch_axes(figure, _RESTORED_LEFT, down, count * _RESTORED_CELL, cell)
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
    most = upper_end(list(residuals.values()))
    seen = strip(images, count)
    down = top + _TITLES
    plot = row("input", down)
    draw(plot, seen, "gray", -1.0, 1.0)
    _titles(plot, titles, images.shape[2])
    _outline(plot, masks)
    down += step
    for name, some in restored.items():
        down += _ABOVE
        draw(row(textwrap.fill(style.shorten(name), _LONGEST), down), strip(some, count), "gray", -1.0, 1.0)
        plot = row("residual", down + step, faint=True)
        draw(plot, seen, "gray", -1.0, 1.0)
        heat = draw(plot, strip(residuals[name], count), _HEAT, 0.0, most)
        _outline(plot, masks)
        down += 2 * step
    if restored:
        colour_bar(figure, heat, width - _RESTORED_RIGHT + 0.15, top + _TITLES, "residual |x - G(z)|")
    return figure


def _titles(plot: Axes, titles: list[str], width: int) -> None:
    for column, title in enumerate(titles):
        plot.annotate(
            style.shorten(title, 11),
            (centre(column, width), -0.5),
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
    marked = np.pad(np.nan_to_num(strip(masks, len(masks))), 1)
    across, down = (np.arange(-1, length - 1) for length in marked.shape[::-1])
    plot.autoscale(False)
    plot.contour(across, down, marked, [0.5], colors=[_OUTLINE], linewidths=1.2)
