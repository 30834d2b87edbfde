"""`scores.volumes.csv`: one row per volume, summed up from the scores of its patches while they are made."""

import csv
import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fanogan_tf import files
from fanogan_tf.errors import UserError
from fanogan_tf.oct.preparation import PreparedVolume

COLUMNS = ("volume", "label", "eye", "bscans", "left_out", "patches", "score_mean", "score_max", "share_anomalous")
_INTEGERS = ("bscans", "left_out", "patches")
_FLOATS = ("score_mean", "score_max", "share_anomalous")
# File names may hold bytes that are no UTF-8; they come back as they were.
_ENCODING: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}


@dataclasses.dataclass
class Tally:
    """What is known of one volume's patches so far."""

    patches: int = 0
    anomalous: int = 0
    total: float = 0.0
    highest: float = -float("inf")

    def add(self, row: dict) -> None:
        """Counts the row of a patch."""
        score = float(row["score"])
        self.patches += 1
        self.anomalous += bool(row["anomalous"])
        self.total += score
        self.highest = max(self.highest, score)

    def figures(self) -> dict[str, int | float]:
        """patches, and of a volume that has any, score_mean, score_max and share_anomalous; else those are NaN."""
        if not self.patches:
            return {"patches": 0, **dict.fromkeys(_FLOATS, math.nan)}
        share = self.anomalous / self.patches
        figures = {"score_mean": self.total / self.patches, "score_max": self.highest, "share_anomalous": share}
        return {"patches": self.patches, **figures}


class VolumeScores:
    """Sums up rows of `score_table` by volume. Memory grows with the number of volumes, not of patches."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def passing(self, rows: Iterable[dict]) -> Iterator[dict]:
        """Hands on every row as it is, and counts it for the volume that is its `group`."""
        for row in rows:
            self._tallies.setdefault(row["group"], Tally()).add(row)
            yield row

    def write(self, path: Path, volumes: Sequence[PreparedVolume]) -> None:
        """Writes one row per volume, in their order; the file is whole or not there.

        label: 0 normal, 1 anomalous, empty if unknown. bscans: all of the volume; left_out: those of them without scores.
        score_mean, score_max: of the anomaly score A of the volume's patches. share_anomalous: of the patches, in [0, 1].
        These three are empty for a volume without patches.
        """
        with files.whole_file(path) as temporary, open(temporary, "w", **_ENCODING) as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for volume in volumes:
                writer.writerow(as_fields({**facts(volume), **self._tallies.get(volume.name, Tally()).figures()}))


def facts(volume: PreparedVolume) -> dict[str, str | int]:
    """What a row says of a volume before anything of it is scored."""
    counts = {"bscans": volume.shape[0], "left_out": len(volume.left_out)}
    return {"volume": volume.name, "label": volume.label, "eye": volume.eye, **counts}


def as_fields(row: dict) -> dict[str, str | int]:
    """A row as the file has it: unknown labels and NaN empty, floats with nine digits, which give every float32 back exactly."""
    label = "" if row["label"] < 0 else row["label"]
    return row | {"label": label, **{name: "" if math.isnan(row[name]) else f"{row[name]:.9g}" for name in _FLOATS}}


def read(path: Path) -> list[dict]:
    """Reads what `VolumeScores.write` wrote: dicts of its columns, numbers as int and float; label -1 and NaN where empty.

    Raises:
      UserError: the file is missing, or not a table of volume scores.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no scores of volumes here; run fanogan score on volumes first")
    with open(path, **_ENCODING) as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(f"{path}: not a table of volume scores (expected the columns {','.join(COLUMNS)})")
        rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: a damaged table of volume scores (a row is cut off); run fanogan score again")
    try:
        for row in rows:
            row["label"] = int(row["label"] or -1)
            row.update({name: int(row[name]) for name in _INTEGERS})
            row.update({name: float(row[name] or "nan") for name in _FLOATS})
    except ValueError as error:
        raise UserError(f"{path}: a damaged table of volume scores ({error}); run fanogan score again") from error
    return rows
