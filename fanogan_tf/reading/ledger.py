"""The ledger of a node: every instance that ever arrived, and what became of it, in a database that survives any crash.

What is to be done next follows from it alone, so that a node that was killed goes on where its ledger stands.
"""

import enum
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, String, create_engine, event, func, inspect, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from fanogan_tf.errors import UserError

# Seconds before the first retry; each further one waits twice as long, up to the longest.
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0


class State(enum.StrEnum):
    """What an instance has come to.

    Attributes:
      RECEIVED: it is on disk, and acknowledged.
      SCORED: its results are on disk.
      SENT: its results are with the destination.
      LEFT: it is of a kind that the model was not made for.
      FAILED: it cannot be scored, or its results could not be sent in all retries.
    """

    RECEIVED = "received"
    SCORED = "scored"
    SENT = "sent"
    LEFT = "left alone"
    FAILED = "failed"


class _Tables(DeclarativeBase):
    pass


class Instance(_Tables):
    """One row. Times are seconds since 1970; `digest` is the sha256 of the data set as it was sent. No patient is named in it."""

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance: Mapped[str] = mapped_column(String(64), unique=True)
    study: Mapped[str] = mapped_column(String(64), index=True)
    sender: Mapped[str] = mapped_column(String(16))
    path: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    received: Mapped[float]
    state: Mapped[str] = mapped_column(String(16), index=True, default=State.RECEIVED)
    reason: Mapped[str] = mapped_column(default="")
    tries: Mapped[int] = mapped_column(default=0)
    due: Mapped[float] = mapped_column(default=0.0)
    score: Mapped[float | None]
    probability: Mapped[float | None]
    anomalous: Mapped[bool | None]
    certainly_normal: Mapped[bool | None]


class Study(_Tables):
    """What a study's first instance said of it. `patient` is a sha256; `date` is YYYYMMDD; both are empty where not known."""

    __tablename__ = "studies"

    study: Mapped[str] = mapped_column(String(64), primary_key=True)
    patient: Mapped[str] = mapped_column(String(64), index=True)
    date: Mapped[str] = mapped_column(String(8))


class Call(_Tables):
    """A reader's word on a study. Calls are never changed: the newest of a reader counts."""

    __tablename__ = "calls"

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(String(64), index=True)
    reader: Mapped[str] = mapped_column(String(64))
    call: Mapped[str] = mapped_column(String(16))
    note: Mapped[str]
    time: Mapped[float]


class OtherContent(Exception):
    """An instance came before, with other content."""


class Ledger:
    """The rows, one short transaction each; for several threads.

    Args:
      url: SQLAlchemy's, as sqlite:///PATH or postgresql+psycopg://...
      retries: of what may succeed later, before it has failed.
      now: the time.

    Raises:
      UserError: there is no such database, or no driver for it.
    """

    def __init__(self, url: str, retries: int = 10, now: Callable[[], float] = time.time):
        self.retries, self._now = retries, now
        try:
            self._engine = create_engine(url)
            if url.startswith("sqlite"):
                event.listen(self._engine, "connect", _durable)
            _Tables.metadata.create_all(self._engine)
            _add_what_is_new(self._engine)
        except (SQLAlchemyError, ImportError) as error:
            # The address may hold a password: it is not repeated.
            why = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise UserError(f"--ledger: that database cannot be opened ({why}); check its address") from error
        self.sessions = sessionmaker(self._engine, expire_on_commit=False)

    def enter(self, sop_instance: str, study: str, sender: str, path: Path, digest: str) -> bool:
        """Enters what has arrived and lies at `path`; False where it is there already.

        Raises:
          OtherContent: it is there, but it was not this.
        """
        row = Instance(sop_instance=sop_instance, study=study, sender=sender, path=str(path), digest=digest, received=self._now())
        try:
            with self.sessions.begin() as session:
                session.add(row)
            return True
        except IntegrityError:
            if self.digest(sop_instance) != digest:
                raise OtherContent(sop_instance) from None
            return False

    def note_study(self, study: str, patient: str, date: str) -> None:
        """Keeps what is known of a study, see `Study`, unless it has been noted before."""
        try:
            with self.sessions.begin() as session:
                if session.get(Study, study) is None:
                    session.add(Study(study=study, patient=patient, date=date))
        except IntegrityError:
            return  # Two instances of it came at the same moment, and the other one was first.

    def digest(self, sop_instance: str) -> str | None:
        """That of an instance which has arrived before; None for a new one."""
        with self.sessions() as session:
            return session.scalar(select(Instance.digest).where(Instance.sop_instance == sop_instance))

    def next(self, state: State) -> Instance | None:
        """The one that has waited longest in `state` and is due."""
        with self.sessions() as session:
            due = select(Instance).where(Instance.state == state, Instance.due <= self._now())
            return session.scalar(due.order_by(Instance.due, Instance.id).limit(1))

    def scored(
        self, row: Instance, score: float, probability: float, anomalous: bool, certainly_normal: bool | None = None
    ) -> None:
        """Its results are on disk. certainly_normal: None where the model has no filter."""
        self._set(
            row,
            State.SCORED,
            score=score,
            probability=probability,
            anomalous=anomalous,
            certainly_normal=certainly_normal,
        )

    def sent(self, row: Instance) -> None:
        """Its results are with the destination."""
        self._set(row, State.SENT)

    def left(self, row: Instance, reason: str) -> None:
        """The model was not made for it."""
        self._set(row, State.LEFT, reason=reason)

    def failed(self, row: Instance, reason: str) -> None:
        """It will not do, however often it is tried."""
        self._set(row, State.FAILED, reason=reason)

    def later(self, row: Instance, reason: str) -> None:
        """It did not work now: once more after a while, twice as long each time, until the retries are used up."""
        if row.tries >= self.retries:
            self.failed(row, f"{reason}; given up after {row.tries + 1} tries")
            return
        wait = min(_FIRST_WAIT * 2.0**row.tries, _LONGEST_WAIT)
        with self.sessions.begin() as session:
            kept = session.get_one(Instance, row.id)
            kept.reason, kept.tries, kept.due = reason, kept.tries + 1, self._now() + wait

    def counts(self) -> dict[str, int]:
        """How many instances are in each state."""
        with self.sessions() as session:
            counted = session.execute(select(Instance.state, func.count()).group_by(Instance.state))
            return {state: number for state, number in counted}

    def rows(self) -> list[Instance]:
        """All of them, in the order of arrival."""
        with self.sessions() as session:
            return list(session.scalars(select(Instance).order_by(Instance.id)))

    def _set(self, row: Instance, state: State, reason: str = "", **values: float | bool | None) -> None:
        with self.sessions.begin() as session:
            kept = session.get_one(Instance, row.id)
            kept.state, kept.reason, kept.tries, kept.due = state, reason, 0, 0.0
            for name, value in values.items():
                setattr(kept, name, value)


def _add_what_is_new(engine: Engine) -> None:
    """Adds the columns that ledgers of earlier versions do not have."""
    there = {column["name"] for column in inspect(engine).get_columns(Instance.__tablename__)}
    if "certainly_normal" not in there:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE instances ADD COLUMN certainly_normal BOOLEAN"))


def _durable(connection, _) -> None:
    """A committed transaction is on the disk; readers do not wait for writers."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")
