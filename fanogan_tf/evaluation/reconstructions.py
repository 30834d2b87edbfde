"""Test images beside what the model makes of them, for each kind of right and wrong call."""

import numpy as np
from matplotlib.figure import Figure

from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation import metrics, strips, style

PER_KIND = 8
_CELL, _LEFT, _RIGHT = 0.8, 1.25, 1.15  # inches: width of an image, room for the row names, room for the colour bar
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


def reconstructions(table: ScoreTable, positions: np.ndarray, detector, test, *, seed: int = 0, note: str = "") -> Figure:
    """Rows of input, reconstruction, residual (and mask where there is one) for each kind of call.

    Args:
      table: the scores.
      positions: (N,) the place of each table row in `test`.
      detector: measures the chosen images once more.
      test: the images.
      seed: of the choice.
      note: drawn small under the title.
    """
    found = kinds(table)
    blocks = {name: (rows, _rows_of_images(positions[rows], detector, test)) for name, rows in choose(found, seed).items()}
    residuals = [content["residual"] for _, content in blocks.values() if content]
    hottest = strips.hottest(residuals)

    # Pixels stay square: a strip's width and height are in the proportion of their pixels.
    cell = PER_KIND * _CELL * test.image_shape[0] / strips.strip_width(PER_KIND, test.image_shape[1])
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
        strips.colour_bar(figure, heat, width - _RIGHT + 0.2, bar_top + _SCORES, "residual |x - G(E(x))|")
    return figure


def _rows_of_images(positions: np.ndarray, detector, test) -> dict[str, np.ndarray]:
    """Row name -> (K, H, W, 1), top row first; empty for no images."""
    if not len(positions):
        return {}
    images = test.float_images(positions)
    measured = detector.measure(images)
    rows = {"input": images, "reconstruction": measured["reconstruction"], "residual": measured["residual"]}
    if test.masks is not None:
        rows["mask"] = np.asarray(test.masks[positions])
    return rows


def _draw_block(figure: Figure, top: float, cell: float, content: dict[str, np.ndarray], scores: np.ndarray, hottest: float):
    """Draws one kind's images from `top` inches downwards; returns the residuals' image for the colour bar."""
    scales = {"residual": ("inferno", 0.0, hottest), "mask": ("gray", 0.0, 1.0)}
    heat = None
    for line, (name, images) in enumerate(content.items()):
        plot = style.inch_axes(figure, _LEFT, top + line * cell * 1.05, PER_KIND * _CELL, cell)
        drawn = strips.draw(plot, strips.strip(images, PER_KIND), *scales.get(name, ("gray", -1.0, 1.0)))
        plot.text(-0.012, 0.5, name, transform=plot.transAxes, ha="right", va="center", fontsize=style.NOTE_SIZE, color=style.INK)
        if name == "residual":
            heat = drawn
        if line == 0:
            for column, score in enumerate(scores):
                place = strips.centre(column, images.shape[2])
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
