"""Images side by side in one row of a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from fanogan_tf.evaluation import style


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


def draw(plot: Axes, row: np.ndarray, colours: str, low: float, high: float) -> AxesImage:
    """Shows a strip; its free places stay white."""
    # Small images keep sharp pixels; large ones are shrunk, and must be smoothed for that.
    interpolation = "nearest" if row.shape[0] <= 128 else "antialiased"
    return plot.imshow(row, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation=interpolation)


def hottest(residuals: list[np.ndarray]) -> float:
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
