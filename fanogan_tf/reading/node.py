"""A node among a hospital's: it scores the images that arrive and sends what it found to the archive."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from absl import logging
from sqlalchemy.exc import SQLAlchemyError

from fanogan_tf import files
from fanogan_tf.data.dicom import open_dicom
from fanogan_tf.reading import views
from fanogan_tf.reading.ledger import Instance, Ledger, State
from fanogan_tf.reading.model import FilmModel, VolumeModel
from fanogan_tf.reading.outbox import CStore, NotSent, Stow

_IDLE_SECONDS, _LEDGER_SECONDS = 0.2, 2.0


class Source(Protocol):
    """Where instances come from: `Inbox` or `Watch`."""

    def start(self) -> str:
        """Brings them to the ledger, in the background; returns in words how."""

    def end(self) -> None:
        """Brings no more."""


class Node:
    """Takes instances through their states, see `State`.

    Args:
      folder: of this node alone: instances, results and, unless the ledger is elsewhere, the ledger.
      outbox: where results go.
    """

    def __init__(self, model: FilmModel | VolumeModel, ledger: Ledger, folder: Path, outbox: CStore | Stow):
        self.model, self.ledger, self.folder, self.outbox = model, ledger, Path(folder), outbox

    def run(self, source: Source, stop: threading.Event) -> None:
        """Receives, scores and sends until `stop`.

        Raises:
          UserError: what `Inbox.start` raises.
        """
        print(f"{source.start()}; {_told(self.ledger.counts())}", flush=True)
        sending = threading.Thread(target=self.work, args=(State.SCORED, self.send, stop), daemon=True)
        sending.start()
        try:
            self.work(State.RECEIVED, self.score, stop)
        finally:
            stop.set()
            source.end()
            sending.join(timeout=30)
        print(f"stopped; {_told(self.ledger.counts())}", flush=True)

    def work(self, state: State, step: Callable[[Instance], None], stop: threading.Event) -> None:
        """Takes one instance after the other out of `state`, by `step`, until `stop`."""
        while not stop.is_set():
            try:
                row = self.ledger.next(state)
                if row is None:
                    stop.wait(_IDLE_SECONDS)
                else:
                    self._one(row, step)
            except SQLAlchemyError as error:
                # A full disk, a database that restarts: what was not entered is done again.
                logging.error("the ledger does not answer (%s)", type(error).__name__)
                stop.wait(_LEDGER_SECONDS)

    def _one(self, row: Instance, step: Callable[[Instance], None]) -> None:
        try:
            step(row)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # Whatever befell this one, the others go on; it is tried again later. Its words may name the patient: not in a log.
            logging.error("%s: %s", row.sop_instance, type(error).__name__)
            self.ledger.later(row, _without_path(error, row))

    def score(self, row: Instance) -> None:
        """Makes the results of one instance; what is wrong with it becomes its reason."""
        try:
            source = open_dicom(Path(row.path))
            modality, asked = str(source.get("Modality", "")), self.model.modalities
            if modality not in asked:
                self.ledger.left(row, f"of modality {modality or 'unknown'}, and the model is for {', '.join(asked)}")
                return
            # What a node that was killed left half written must not be sent with the rest.
            shutil.rmtree(self.results(row), ignore_errors=True)
            answer = self.model.answer(Path(row.path), source)
            for kind, result in answer.objects.items():
                with files.whole_file(self.results(row) / f"{kind}.dcm") as temporary:
                    result.save_as(temporary, enforce_file_format=True)
            views.keep(self.results(row), answer.finding, answer.restored)
        except OSError as error:
            logging.error("cannot write results: %s", error.strerror)
            self.ledger.later(row, f"results cannot be written ({error.strerror})")
        except SQLAlchemyError:
            raise
        except Exception as error:
            # One instance must not stop all others: whatever pydicom, highdicom or the networks say becomes its reason.
            self.ledger.failed(row, _without_path(error, row))
        else:
            found = answer.finding
            self.ledger.scored(row, found.score, found.probability, found.anomalous, answer.certainly_normal)

    def results(self, row: Instance) -> Path:
        """The folder of an instance's results."""
        return views.results_of(self.folder, row)

    def send(self, row: Instance) -> None:
        """Sends the results of one instance; where that fails, they wait for the next try.

        Killed between the destination's answer and the ledger, it sends them again: they have the same UIDs, and the archive has
        them once.
        """
        import pydicom

        try:
            found = [pydicom.dcmread(path) for path in sorted(self.results(row).glob("*.dcm"))]
        except Exception as error:  # Results that somebody else damaged: pydicom raises nearly anything.
            self.ledger.failed(row, f"its results cannot be read: {_without_path(error, row)}")
            return
        try:
            self.outbox.send(found)
        except NotSent as error:
            self.ledger.later(row, str(error))
        else:
            self.ledger.sent(row)


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[state]} {state}" for state in State if state in counts) or "nothing has arrived yet"


def _without_path(error: Exception, row: Instance) -> str:
    """The error in one line, without where the file lies."""
    return " ".join((str(error) or type(error).__name__).replace(f"{row.path}: ", "").split())[:300]
