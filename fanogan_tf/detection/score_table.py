"""`scores.csv`: one row per image, written while scoring and read by all later steps."""

import csv
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf import files
from fanogan_tf.errors import UserError

COLUMNS = (
    "image",
    "label",
    "class",
    "score",
    "probability",
    "anomalous",
    "image_residual",
    "feature_residual",
    "latent_distance",
)
# File names may hold bytes that are no UTF-8; they come back as they were.
_ENCODING: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
_FLOATS = ("score", "probability", "image_residual", "feature_residual", "latent_distance")


@dataclasses.dataclass(frozen=True)
class ScoreTable:
    """Columns of `scores.csv`, each (N,).

    image: names. label: 0 normal, 1 anomalous, -1 unknown (an empty field in the file). class_name: "" where unknown.
    anomalous: bool, the call at the calibrated threshold. The rest are float64, NaN where a method has no such term.
    """

    image: np.ndarray
    label: np.ndarray
    class_name: np.ndarray
    score: np.ndarray
    probability: np.ndarray
    anomalous: np.ndarray
    image_residual: np.ndarray
    feature_residual: np.ndarray
    latent_distance: np.ndarray

    def __len__(self) -> int:
        return len(self.image)


def write(path: Path, rows: Iterable[dict]) -> int:
    """Writes rows as they come, keeping none in memory; the file appears only when the last is in it. Returns their number."""
    count = 0
    with files.whole_file(path) as temporary, open(temporary, "w", **_ENCODING) as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow(as_fields(row))
            count += 1
    return count


def as_fields(row: dict) -> dict[str, str | int]:
    """A row as the file has it: unknown labels and NaN empty, floats with nine digits, which give every float32 back exactly."""
    fields = {name: row[name] for name in COLUMNS}
    fields["label"] = "" if row["label"] < 0 else int(row["label"])
    fields["anomalous"] = int(row["anomalous"])
    fields.update({name: "" if np.isnan(row[name]) else f"{row[name]:.9g}" for name in _FLOATS})
    return fields


def read(path: Path) -> ScoreTable:
    """Reads what `write` wrote.

    Raises:
      UserError: the file is missing, or not a score table.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no scores here; run fanogan score first")
    with open(path, **_ENCODING) as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(f"{path}: not a score table (expected the columns {','.join(COLUMNS)})")
        rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: a damaged score table (a row is cut off); run fanogan score again")
    try:
        floats = {name: np.array([float(row[name] or "nan") for row in rows], np.float64) for name in _FLOATS}
        labels = np.array([int(row["label"] or -1) for row in rows], np.int64)
        anomalous = np.array([bool(int(row["anomalous"])) for row in rows], bool)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: a damaged score table ({error}); run fanogan score again") from error
    return ScoreTable(
        image=np.array([row["image"] for row in rows]),
        label=labels,
        class_name=np.array([row["class"] for row in rows]),
        anomalous=anomalous,
        **floats,
    )
