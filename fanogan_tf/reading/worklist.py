"""The readers' side of the ledger: studies in the order in which they should be read, and what readers say of them."""

import dataclasses
import enum
import time
from typing import Any

from sqlalchemy import Integer, Select, case, cast, func, select
from sqlalchemy.orm import Session

from fanogan_tf.reading.ledger import Call, Instance, Ledger, State, Study

# A study's state is that of the instance which a reader should know of first.
_ORDER = (State.FAILED, State.RECEIVED, State.SCORED, State.SENT, State.LEFT)
_AT_ONCE = 500
SORTED_BY = ("probability", "received", "date")
MOST_OF_A_NOTE = 2000


class Says(enum.StrEnum):
    """What a reader says of a study."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"
    UNSURE = "unsure"


@dataclasses.dataclass(frozen=True)
class Filter:
    """Which studies, and how they are sorted. state: any where empty. since, until: seconds since 1970 of their first arrival."""

    state: str = ""
    since: float | None = None
    until: float | None = None
    sort: str = SORTED_BY[0]


@dataclasses.dataclass(frozen=True)
class Row:
    """A study in the work list.

    Attributes:
      study: its UID.
      date: YYYYMMDD; empty where not known.
      received: when its first instance came, seconds since 1970.
      images: how many instances it has here.
      state: see `_ORDER`.
      score, probability: the highest of its images; None where none has been scored.
      anomalous: whether the model says so of any; None as above.
      certainly_normal: whether the filter says so of all.
      path: of its first instance.
      call: the newest reader's; None where there is none.
    """

    study: str
    date: str
    received: float
    images: int
    state: State
    score: float | None
    probability: float | None
    anomalous: bool | None
    certainly_normal: bool
    path: str
    call: Call | None


class WorkList:
    """Queries of a ledger's studies; see `Filter` and `Row`."""

    def __init__(self, ledger: Ledger):
        self._sessions = ledger.sessions

    def rows(self, chosen: Filter, first: int = 0, most: int | None = None) -> list[Row]:
        """The studies of a filter, from the `first` on."""
        with self._sessions() as session:
            return _rows(session, _studies(chosen).offset(first).limit(most))

    def count(self, chosen: Filter) -> int:
        """How many there are."""
        with self._sessions() as session:
            return session.scalar(select(func.count()).select_from(_studies(chosen).subquery())) or 0

    def called(self) -> dict[str, Row]:
        """The studies that readers have called, by their UIDs."""
        found: dict[str, Row] = {}
        query = _studies(Filter()).where(Instance.study.in_(select(Call.study)))
        with self._sessions() as session:
            # Databases take only so many values in one question.
            while part := _rows(session, query.offset(len(found)).limit(_AT_ONCE)):
                found |= {row.study: row for row in part}
        return found

    def row(self, study: str) -> Row | None:
        """One study; None where it is not known."""
        with self._sessions() as session:
            found = _rows(session, _studies(Filter()).where(Instance.study == study))
            return found[0] if found else None

    def neighbours(self, study: str, chosen: Filter) -> tuple[str | None, str | None]:
        """The studies before and after one in a filter's order."""
        with self._sessions() as session:
            order = list(session.scalars(_studies(chosen)))
        place = order.index(study) if study in order else -2
        before = order[place - 1] if place > 0 else None
        return before, order[place + 1] if 0 <= place + 1 < len(order) else None

    def instances(self, study: str) -> list[Instance]:
        """A study's instances, the highest probability first."""
        with self._sessions() as session:
            of_study = select(Instance).where(Instance.study == study)
            return list(session.scalars(of_study.order_by(Instance.probability.desc().nulls_last(), Instance.id)))

    def instance(self, number: int) -> Instance | None:
        """By its number in the ledger."""
        with self._sessions() as session:
            return session.get(Instance, number)

    def others(self, study: str) -> list[Row]:
        """Other studies of the same patient, the newest first."""
        with self._sessions() as session:
            patient = session.scalar(select(Study.patient).where(Study.study == study))
            if not patient:
                return []
            return _rows(session, _studies(Filter(sort="date")).where(Study.patient == patient, Instance.study != study))

    def say(self, study: str, reader: str, says: Says, note: str) -> None:
        """Keeps a reader's call. note: of at most MOST_OF_A_NOTE letters; the rest is cut."""
        with self._sessions.begin() as session:
            session.add(Call(study=study, reader=reader, call=says, note=note[:MOST_OF_A_NOTE], time=time.time()))

    def calls(self, study: str | None = None) -> list[Call]:
        """All calls on one study, or on all, the oldest first."""
        with self._sessions() as session:
            chosen = select(Call).order_by(Call.id)
            return list(session.scalars(chosen if study is None else chosen.where(Call.study == study)))


def _studies(chosen: Filter) -> Select[Any]:
    """One line for each study: UID, date, received, images, state, score, probability, anomalous, sure, first instance."""
    state = func.min(case({state: place for place, state in enumerate(_ORDER)}, value=Instance.state))
    date, received = func.coalesce(func.max(Study.date), ""), func.min(Instance.received)
    score, probability = func.max(Instance.score), func.max(Instance.probability)
    anomalous, sure = func.max(cast(Instance.anomalous, Integer)), func.sum(cast(Instance.certainly_normal, Integer))
    found: Select[Any] = (
        select(Instance.study)
        .add_columns(date, received, func.count(), state, score, probability, anomalous, sure, func.min(Instance.id))
        .outerjoin(Study, Study.study == Instance.study)
        .group_by(Instance.study)
    )
    if chosen.state:
        found = found.having(state == _ORDER.index(State(chosen.state)))
    if chosen.since is not None:
        found = found.having(received >= chosen.since)
    if chosen.until is not None:
        found = found.having(received < chosen.until)
    newest = received.desc()
    order: dict[str, tuple[Any, ...]] = {
        "probability": (probability.desc().nulls_last(), score.desc().nulls_last(), newest),
        "received": (newest,),
        "date": (date.desc(), newest),
    }
    return found.order_by(*order[chosen.sort], Instance.study)


def _rows(session: Session, query: Select[Any]) -> list[Row]:
    """Its studies, with the paths of their first instances and their newest calls."""
    found: list[Any] = list(session.execute(query))
    firsts = session.execute(select(Instance.id, Instance.path).where(Instance.id.in_([one[-1] for one in found])))
    paths = {one.id: one.path for one in firsts}
    newest = select(func.max(Call.id)).where(Call.study.in_([one[0] for one in found])).group_by(Call.study)
    calls = {call.study: call for call in session.scalars(select(Call).where(Call.id.in_(newest)))}
    return [
        Row(
            study=study,
            date=date,
            received=received,
            images=images,
            state=_ORDER[state],
            score=score,
            probability=probability,
            anomalous=None if anomalous is None else bool(anomalous),
            certainly_normal=sure == images,
            path=paths[first],
            call=calls.get(study),
        )
        for study, date, received, images, state, score, probability, anomalous, sure, first in found
    ]
