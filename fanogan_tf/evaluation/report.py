"""The report of a run: metrics.json, figures, and a page that shows them."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fanogan_tf import files
from fanogan_tf.data.leaks import Leaks
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import metrics, page, reliability, screening
from fanogan_tf.evaluation.diagnosis import Verdict
from fanogan_tf.evaluation.figures import curves, distributions, image_rows, latent_walk, style
from fanogan_tf.evaluation.measured import Measured


def write_report(
    folder: Path,
    table: ScoreTable,
    measured: Measured,
    *,
    timing: dict,
    facts: dict[str, str],
    note: str,
    leaks: Leaks | None = None,
    columns: dict[str, np.ndarray] | None = None,
    seed: int = 0,
    prevalence: float = 0.05,
    verdicts: Sequence[Verdict] = (),
) -> dict:
    """Writes metrics.json, the figures and index.html into `folder`, which is replaced as a whole or not at all.

    Args:
      folder: becomes the report.
      table: the test images' scores.
      measured: what was kept when they were scored.
      timing: seconds and images_per_second of the scoring; None or missing where not measured.
      facts: settings to show on the page.
      note: what the data are, small in every figure.
      leaks: images on two sides of the split; None where nobody has looked.
      columns: by which to part the test images, see `reliability.subgroups`.
      seed: of the bootstrap.
      prevalence: the share of diseased images where a filter would be used.
      verdicts: the doctor's; none where nobody has looked.

    Returns:
      what metrics.json holds.

    Raises:
      UserError: the scores are of another threshold, or are not numbers.
    """
    check_scores(table, measured.threshold)
    values = measure(table, measured, timing, columns or {}, seed)
    screened = screening.figures(table, prevalence)
    if screened is not None:
        values["screening"] = screened
    if leaks is not None:
        values["leaks"] = {"compared": leaks.compared, "exact": leaks.exact, "near": leaks.near}
    if verdicts:
        values["doctor"] = [dataclasses.asdict(verdict) for verdict in verdicts]
    with files.whole_folder(Path(folder)) as temporary:
        for name, figure in draw(table, measured, values, note):
            style.save(figure, temporary / f"{name}.png")
        shown = {path.stem for path in temporary.glob("*.png")}
        (temporary / "metrics.json").write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (temporary / "index.html").write_text(page.render(table, values, shown, facts, note, leaks), encoding="utf-8")
    return values


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


def measure(table: ScoreTable, measured: Measured, timing: dict, columns: dict[str, np.ndarray], seed: int) -> dict:
    """Everything that metrics.json holds of the scores: texts, numbers and None only. columns, seed: see `write_report`."""
    values = metrics.image_metrics(table.label, table.score, measured.threshold)
    if measured.masks:
        values["pixel"] = measured.pixel
    values["images"] = len(table)
    values["normal_images"] = int((table.label == metrics.NORMAL).sum())
    values["anomalous_images"] = int((table.label == metrics.ANOMALOUS).sum())
    values["seconds"] = _number(timing.get("seconds"))
    values["images_per_second"] = _number(timing.get("images_per_second"))
    groups = measured.belongs if len(measured.belongs) else None
    intervals = reliability.per_class(table, groups, seed)
    values["per_class"] = {
        name: found | {"interval": {key: intervals[name].get(key) for key in ("low", "high", "why")}}
        for name, found in metrics.per_class(table).items()
    }
    values["per_term"] = metrics.per_term(table)
    if measured.groups is not None:
        values["volumes"] = measured.groups
    known = reliability.labelled(table, groups)
    values["reliability"] = reliability.figures(table, known, seed) if known else None
    values["no_model"] = reliability.against(table, known, measured.no_model, seed) if known else {}
    values["per_group"] = reliability.per_group(table, groups) if groups is not None else None
    values["subgroups"] = reliability.subgroups(table, columns, groups, seed)
    return values


def draw(table: ScoreTable, measured: Measured, values: dict, note: str) -> Iterable[tuple[str, Figure]]:
    """Yields file name (without .png) and figure, one at a time; curves only where both labels are there."""
    threshold = values["operating_point"]["threshold"]
    if values["auroc"] is not None:
        known = table.label != metrics.UNKNOWN
        yield "roc", curves.roc(table.label[known], table.score[known], values, note)
        yield "precision_recall", curves.precision_recall(table.label[known], table.score[known], values, note)
    yield "histogram", distributions.histogram(table, threshold, note)
    yield "boxplot", distributions.boxplot(table, threshold, note)
    if measured.looked:
        yield "reconstructions", image_rows.reconstructions(table, measured.looked, note)
    if "screening" in values:
        yield "screening", curves.screening(values["screening"], note)
    if measured.missed:
        yield "missed", image_rows.missed(measured.missed, note)
    if measured.walked:
        yield "latent_walk", latent_walk.latent_walk(measured.walked, note)
    if measured.pixel_roc is not None:
        yield "pixel_roc", curves.pixel_roc((measured.pixel_roc[0], measured.pixel_roc[1]), values["pixel"], note)


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
