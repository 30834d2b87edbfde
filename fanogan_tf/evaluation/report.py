"""The report of a run: metrics.json, figures, and a page that shows them."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fanogan_tf import files
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import metrics, page
from fanogan_tf.evaluation.figures import curves, distributions, image_rows, latent_walk, style
from fanogan_tf.evaluation.pixels import PixelCounts, RegionCounts

_BATCH = 64


def write_report(
    folder: Path,
    table: ScoreTable,
    detector,
    test,
    *,
    timing: dict,
    facts: dict[str, str],
    note: str,
    seed: int = 0,
    volumes: dict | None = None,
) -> dict:
    """Writes metrics.json, the figures and index.html into `folder`, which is replaced as a whole or not at all.

    Args:
      folder: becomes the report.
      table: the test images' scores.
      detector: has measure, RESTORES, calibration.threshold and, where it can_generate, generate and latent_dim.
      test: the test images, with masks where pixel figures are wanted.
      timing: seconds and images_per_second of the scoring; None or missing where not measured.
      facts: settings to show on the page.
      note: what the data are, small in every figure.
      seed: of the choice of images shown.
      volumes: what `volumes.volume_metrics` says of whole volumes; None where there are none.

    Returns:
      what metrics.json holds.

    Raises:
      UserError: the scores are of other images or of another threshold, or are not numbers.
    """
    positions = match(table, test.names)
    threshold = float(detector.calibration.threshold)
    check_scores(table, threshold)
    pixels, regions = count_pixels(detector, test)
    values = measure(table, threshold, pixels, regions, timing)
    if volumes is not None:
        values["volumes"] = volumes
    with files.whole_folder(Path(folder)) as temporary:
        for name, figure in draw(table, positions, detector, test, values, pixels, seed, note):
            style.save(figure, temporary / f"{name}.png")
        shown = {path.stem for path in temporary.glob("*.png")}
        (temporary / "metrics.json").write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (temporary / "index.html").write_text(page.render(table, values, shown, facts, note), encoding="utf-8")
    return values


def match(table: ScoreTable, names: np.ndarray) -> np.ndarray:
    """(N,) the place in `names` of each table row.

    Raises:
      UserError: the two do not hold the same images.
    """
    if np.array_equal(table.image, names):
        return np.arange(len(names))
    place = {str(name): i for i, name in enumerate(names)}
    rows = table.image.tolist()
    if len(set(rows)) != len(rows) or len(rows) != len(names) or set(rows) != place.keys():
        raise UserError("scores.csv: the scores are of other images than the test images; run fanogan score again")
    return np.array([place[name] for name in rows], np.int64)


def check_scores(table: ScoreTable, threshold: float) -> None:
    """Refuses scores that a report cannot be made of.

    Raises:
      UserError: there are no scores, one is not a number, or the calls were made at another threshold.
    """
    if not len(table):
        raise UserError("scores.csv: no scores in it; run fanogan score again")
    broken = int((~np.isfinite(table.score)).sum())
    if broken:
        raise UserError(f"scores.csv: {broken} of {len(table)} scores are not finite numbers; the training probably diverged")
    # Scores are written with nine digits; within that rounding a call may fall to either side.
    certain = np.abs(table.score - threshold) > 1e-6 * max(abs(threshold), 1e-6)
    if (table.anomalous != (table.score > threshold))[certain].any():
        raise UserError("scores.csv: written with another threshold than the detector's; run fanogan score again")


def count_pixels(detector, test) -> tuple[PixelCounts, RegionCounts] | tuple[None, None]:
    """Residuals of all test images counted against their masks, in one pass; None where there are no masks, or no residuals."""
    if test.masks is None or not detector.RESTORES:
        return None, None
    pixels, regions = PixelCounts(), RegionCounts()
    for batch in test.batches(_BATCH):
        residual = detector.measure(batch["image"])["residual"]
        pixels.update(residual, batch["mask"])
        regions.update(residual, batch["mask"])
    return pixels, regions


def measure(table: ScoreTable, threshold: float, pixels: PixelCounts | None, regions: RegionCounts | None, timing: dict) -> dict:
    """Everything that metrics.json holds: floats, ints and None only."""
    values = metrics.image_metrics(table.label, table.score, threshold)
    if pixels is not None:
        values["pixel"] = pixels.result()
        if values["pixel"] is not None:
            values["pixel"]["regions"] = regions.result()
    values["images"] = len(table)
    values["normal_images"] = int((table.label == metrics.NORMAL).sum())
    values["anomalous_images"] = int((table.label == metrics.ANOMALOUS).sum())
    values["seconds"] = _number(timing.get("seconds"))
    values["images_per_second"] = _number(timing.get("images_per_second"))
    values["per_class"] = metrics.per_class(table)
    values["per_term"] = metrics.per_term(table)
    return values


def draw(
    table: ScoreTable, positions: np.ndarray, detector, test, values: dict, pixels: PixelCounts | None, seed: int, note: str
) -> Iterable[tuple[str, Figure]]:
    """Yields file name (without .png) and figure, one at a time; curves only where both labels are there."""
    threshold = values["operating_point"]["threshold"]
    if values["auroc"] is not None:
        known = table.label != metrics.UNKNOWN
        yield "roc", curves.roc(table.label[known], table.score[known], values, note)
        yield "precision_recall", curves.precision_recall(table.label[known], table.score[known], values, note)
    yield "histogram", distributions.histogram(table, threshold, note)
    yield "boxplot", distributions.boxplot(table, threshold, note)
    if detector.RESTORES:
        yield "reconstructions", image_rows.reconstructions(table, positions, detector, test, seed=seed, note=note)
    if detector.can_generate:
        labels = np.empty(len(positions), np.int64)
        labels[positions] = table.label
        yield "latent_walk", latent_walk.latent_walk(labels, detector, test, seed=seed, note=note)
    if values.get("pixel"):
        yield "pixel_roc", curves.pixel_roc(pixels.roc_curve(), values["pixel"], note)


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
