"""Images side by side in one row of a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle


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


def frame(plot: Axes, column: int, height: int, width: int, colour: str) -> None:
    """Frames one image of a strip."""
    left = column * (width + gap(width)) - 0.5
    plot.add_patch(Rectangle((left, -0.5), width, height, fill=False, edgecolor=colour, linewidth=2.5, clip_on=False))
