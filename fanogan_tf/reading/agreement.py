"""How far readers and the model agree: counts, the share, and Cohen's kappa (Cohen 1960)."""

import csv
import dataclasses
import datetime
import io
from collections.abc import Iterable

from fanogan_tf.evaluation.intervals import share
from fanogan_tf.reading.ledger import Call
from fanogan_tf.reading.worklist import Row, Says

COLUMNS = ("study", "reader", "call", "note", "time", "score", "probability", "decision")


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Of one reader with the model.

    Attributes:
      counts: studies by (the reader's call, whether the model says anomalous).
      agreed: see `intervals.share`; of the studies called normal or abnormal. None where there are none.
      kappa: 1 is full agreement, 0 what chance gives; None where it is not defined.
    """

    counts: dict[tuple[Says, bool], int]
    agreed: dict[str, float] | None
    kappa: float | None

    @classmethod
    def of(cls, said: Iterable[tuple[Says, bool]]) -> "Agreement":
        """said: of each study the reader's call, and whether the model says anomalous."""
        counts = {(says, anomalous): 0 for says in Says for anomalous in (False, True)}
        for one in said:
            counts[one] += 1
        both, neither = counts[Says.ABNORMAL, True], counts[Says.NORMAL, False]
        reader_alone, model_alone = counts[Says.ABNORMAL, False], counts[Says.NORMAL, True]
        total = both + neither + reader_alone + model_alone
        if not total:
            return cls(counts, None, None)
        # What two who know nothing of each other would agree on, with these shares of abnormal.
        pairs = (both + reader_alone) * (both + model_alone) + (neither + model_alone) * (neither + reader_alone)
        by_chance = pairs / total**2
        agreed = share(both + neither, total)
        return cls(counts, agreed, None if by_chance == 1.0 else (agreed["value"] - by_chance) / (1.0 - by_chance))


def newest(calls: Iterable[Call]) -> dict[tuple[str, str], Call]:
    """Of each reader and study the call that counts, by both; `calls` from the oldest on."""
    return {(call.reader, call.study): call for call in calls}


def by_reader(calls: Iterable[Call], rows: dict[str, Row]) -> dict[str, Agreement]:
    """The agreement of each reader on the studies that the model has scored. rows: studies by their UIDs."""
    said: dict[str, list[tuple[Says, bool]]] = {}
    for (reader, study), call in newest(calls).items():
        row = rows.get(study)
        if row is not None and row.anomalous is not None:
            said.setdefault(reader, []).append((Says(call.call), row.anomalous))
    return {reader: Agreement.of(words) for reader, words in sorted(said.items())}


def as_csv(calls: Iterable[Call], rows: dict[str, Row]) -> str:
    """All calls, the newest and those before, with what the model says; UTF-8 text with COLUMNS. No patient is named."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for call in calls:
        row = rows.get(call.study)
        when = datetime.datetime.fromtimestamp(call.time, datetime.UTC).isoformat(timespec="seconds")
        said = ("", "", "")
        if row is not None and row.anomalous is not None:
            said = (str(row.score), str(row.probability), "anomalous" if row.anomalous else "normal")
        writer.writerow([call.study, call.reader, call.call, _inert(call.note), when, *said])
    return text.getvalue()


def _inert(note: str) -> str:
    """A note that no spreadsheet takes for a formula."""
    return f"'{note}" if note.startswith(("=", "+", "-", "@", "\t", "\r")) else note
