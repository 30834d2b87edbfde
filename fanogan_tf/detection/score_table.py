"""`scores.csv`: one row per image, written while scoring and read by all later steps."""

import csv
import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf import files
from fanogan_tf.detection.terms import FURTHER, OWN
from fanogan_tf.errors import UserError

# In every table. Behind them come those of FURTHER that the method has.
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
# The last column, where there is a filter: see `Calibration.filter`.
SCREENED = "screened"
SCREENED_AS = {True: "certainly_normal", False: "to_reader"}
# File names may hold bytes that are no UTF-8; they come back as they were.
_ENCODING: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
_FLOATS = ("score", "probability", "image_residual", "feature_residual", "latent_distance")


@dataclasses.dataclass(frozen=True)
class ScoreTable:
    """Columns of `scores.csv`, each (N,).

    image: names. label: 0 normal, 1 anomalous, -1 unknown (an empty field in the file). class_name: "" where unknown.
    anomalous: bool, the call at the calibrated threshold. The rest are float64, NaN where a method has no such term.
    further: name -> (N,) float64, those of `terms.FURTHER` that the method has, or had when the table was written.
    certainly_normal: (N,) bool, what the filter said; None where there was none.
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
    further: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    certainly_normal: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.image)

    def terms(self) -> dict[str, np.ndarray]:
        """All terms that the method has."""
        own = {name: getattr(self, name) for name in OWN}
        return {name: values for name, values in own.items() if np.isfinite(values).all()} | self.further

    def take(self, rows: np.ndarray) -> "ScoreTable":
        """The rows at indices, or of a mask."""
        columns: dict[str, Any] = {name: values[rows] for name, values in vars(self).items() if isinstance(values, np.ndarray)}
        return ScoreTable(**columns, further={name: values[rows] for name, values in self.further.items()})


def write(path: Path, rows: Iterable[dict]) -> int:
    """Writes rows as they come, keeping none in memory; the file appears only when the last is in it. Returns their number."""
    count = 0
    rows = iter(rows)
    first = next(rows, None)
    further = [name for name in FURTHER if first is not None and name in first]
    screened = first is not None and "certainly_normal" in first
    with files.whole_file(path) as temporary, open(temporary, "w", **_ENCODING) as file:
        writer = csv.DictWriter(file, (*COLUMNS, *further, *([SCREENED] if screened else [])))
        writer.writeheader()
        for row in itertools.chain(() if first is None else (first,), rows):
            writer.writerow(as_fields(row, further))
            count += 1
    return count


def as_fields(row: dict, further: Iterable[str] = ()) -> dict[str, str | int]:
    """A row as the file has it: unknown labels and NaN empty, floats with nine digits, which give every float32 back exactly.

    further: the columns behind COLUMNS. A row that says whether it is `certainly_normal` has SCREENED as well.
    """
    fields = {name: row[name] for name in COLUMNS}
    fields["label"] = "" if row["label"] < 0 else int(row["label"])
    fields["anomalous"] = int(row["anomalous"])
    fields.update({name: "" if np.isnan(row[name]) else f"{row[name]:.9g}" for name in (*_FLOATS, *further)})
    if "certainly_normal" in row:
        fields[SCREENED] = SCREENED_AS[bool(row["certainly_normal"])]
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
        names = tuple(reader.fieldnames or ())
        screened = names[-1:] == (SCREENED,)
        further = names[len(COLUMNS) : len(names) - screened]
        if names[: len(COLUMNS)] != COLUMNS or not set(further) <= set(FURTHER):
            raise UserError(f"{path}: not a score table (expected the columns {','.join(COLUMNS)})")
        rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: a damaged score table (a row is cut off); run fanogan score again")
    try:
        floats = {name: np.array([float(row[name] or "nan") for row in rows], np.float64) for name in (*_FLOATS, *further)}
        labels = np.array([int(row["label"] or -1) for row in rows], np.int64)
        anomalous = np.array([bool(int(row["anomalous"])) for row in rows], bool)
        sure = {as_text: said for said, as_text in SCREENED_AS.items()}
        certainly_normal = np.array([sure[row[SCREENED]] for row in rows], bool) if screened else None
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{path}: a damaged score table ({error}); run fanogan score again") from error
    return ScoreTable(
        image=np.array([row["image"] for row in rows]),
        label=labels,
        class_name=np.array([row["class"] for row in rows]),
        anomalous=anomalous,
        further={name: floats.pop(name) for name in further},
        certainly_normal=certainly_normal,
        **floats,
    )
