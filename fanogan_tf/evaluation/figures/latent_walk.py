"""Walks through the latent space: what the generator draws between known places (f-AnoGAN paper, figure 5)."""

import numpy as np
from matplotlib.figure import Figure

from fanogan_tf.data import pixels
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.detector import Detector
from fanogan_tf.evaluation import metrics
from fanogan_tf.evaluation.figures import image_rows, style

GRID_SIDE, GRID_RANGE = 20, 1.5
PAIRS, STEPS = 8, 8
REAL_COLOUR = "#d62728"  # red frames around real images, as in the paper
_BATCH = 64


def walk(labels: np.ndarray, detector: Detector, test: ImageSet, seed: int) -> dict[str, np.ndarray]:
    """Generates the images that `latent_walk` shows.

    Args:
      labels: (N,) of the test images, 0 normal; where none is normal, pairs are drawn from all images.
      detector: encodes and generates.
      test: the images, in the order of `labels`.
      seed: of the choice of pairs.

    Returns:
      `grid`, (400, H, W, 1), for latent_dim 2; else `real`, (P, 2, H, W, 1), pairs of test images, `steps`, (P, 8, H, W, 1), on
      the line between their codes, and `normal`, (), whether the pairs are of normal images.
    """
    if detector.latent_dim == 2:
        return {"grid": _generate(detector, grid_codes())}
    pairs = choose_pairs(labels, np.random.default_rng(seed))
    real = detector.shown(test.float_images(pairs.ravel()))
    steps = real[:0]
    if len(pairs):
        codes = detector.measure(*test.inputs(pairs.ravel(), detector.INPUTS))["latent"].reshape(len(pairs), 2, -1)
        steps = _generate(detector, interpolate(codes[:, 0], codes[:, 1], STEPS).reshape(len(pairs) * STEPS, -1))
    shape = real.shape[1:]
    normal = np.array((labels == metrics.NORMAL).sum() >= 2)
    return {"real": real.reshape(len(pairs), 2, *shape), "steps": steps.reshape(len(pairs), STEPS, *shape), "normal": normal}


def latent_walk(walked: dict[str, np.ndarray], note: str = "") -> Figure:
    """A 20 x 20 grid over z for latent_dim 2; else lines between the codes of pairs of test images.

    Args:
      walked: what `walk` returned.
      note: drawn small under the title.
    """
    return (
        _grid(walked["grid"], note) if "grid" in walked else _lines(walked["real"], walked["steps"], bool(walked["normal"]), note)
    )


def _generate(detector: Detector, codes: np.ndarray) -> np.ndarray:
    """(N, d) -> (N, H, W, 1), some at a time so that large images do not fill the memory."""
    parts = [detector.generate(codes[i : i + _BATCH].astype(np.float32)) for i in range(0, len(codes), _BATCH)]
    return np.concatenate(parts)


def grid_codes() -> np.ndarray:
    """(400, 2): z_1 grows from left to right, z_2 from the bottom to the top; the first row is the top one."""
    across, up = np.meshgrid(np.linspace(-GRID_RANGE, GRID_RANGE, GRID_SIDE), np.linspace(GRID_RANGE, -GRID_RANGE, GRID_SIDE))
    return np.stack([across.ravel(), up.ravel()], axis=1)


def _grid(images: np.ndarray, note: str) -> Figure:
    height, width = images.shape[1:3]
    figure, plot = style.axes(7.2, 6.2 * height / width + 1.4, "Generated images over the latent plane", note)
    gap = image_rows.gap(width)
    sheet = pixels.tile(images, GRID_SIDE, gap)
    # Half an image beyond the outermost codes, so that a code stands at the middle of its image.
    step = 2 * GRID_RANGE / (GRID_SIDE - 1)
    right, top = (GRID_RANGE + step / 2 * side / (side + gap) for side in (width, height))
    aspect = (sheet.shape[0] / top) / (sheet.shape[1] / right)
    plot.imshow(sheet, cmap="gray", vmin=0, vmax=255, extent=(-right, right, -top, top), aspect=aspect)
    plot.grid(visible=False)
    style.label_axes(plot, f"z₁, within ±{GRID_RANGE:g}", f"z₂, within ±{GRID_RANGE:g}")
    return figure


def choose_pairs(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(P, 2) positions of different normal images, P <= 8; of any images where fewer than two are normal."""
    some = np.flatnonzero(labels == metrics.NORMAL)
    some = some if len(some) >= 2 else np.arange(len(labels))
    pairs = min(PAIRS, len(some) // 2)
    return random.permutation(some)[: 2 * pairs].reshape(pairs, 2)


def interpolate(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """(P, d) and (P, d) -> (P, steps, d), evenly spaced from start to end, both included."""
    share = np.linspace(0.0, 1.0, steps)[None, :, None]
    return np.asarray((1.0 - share) * start[:, None] + share * end[:, None])


def _lines(real: np.ndarray, steps: np.ndarray, normal: bool, note: str) -> Figure:
    pairs, _, rows, columns_of_image, _ = real.shape
    cell, left = 0.8, 0.15
    columns = STEPS + 2
    cell_height = columns * cell * rows / image_rows.strip_width(columns, columns_of_image)
    width = 2 * left + columns * cell
    height = style.heading_height(width, note) + pairs * cell_height * 1.12 + 0.45
    kind = "normal test images" if normal else "test images"
    figure, top = style.sheet(width, height, f"Straight lines in latent space between pairs of {kind}", note)
    for i in range(pairs):
        plot = style.inch_axes(figure, left, top + 0.05 + i * cell_height * 1.12, columns * cell, cell_height)
        row = np.concatenate([real[i, :1], steps[i], real[i, 1:]])
        image_rows.draw(plot, image_rows.strip(row, columns), "gray", -1.0, 1.0)
        for column in (0, columns - 1):
            image_rows.frame(plot, column, rows, columns_of_image, REAL_COLOUR)
    text = "Framed in red: real images. Between them: G(z) from one image's code E(x) to the other's." if pairs else "none"
    figure.text(left / width, 0.15 / height, text, fontsize=style.NOTE_SIZE, color=style.INK)
    return figure
