"""A node among a hospital's: it scores the images that arrive and sends what it found to the archive."""

import hashlib
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from sqlalchemy.exc import SQLAlchemyError

from fanogan_tf import files
from fanogan_tf.data.dicom import open_dicom, read_image_dicom
from fanogan_tf.data.image_stream import unlabelled_batch
from fanogan_tf.data.pixels import resize, to_signed
from fanogan_tf.errors import UserError
from fanogan_tf.reading.finding import Algorithm, Finding
from fanogan_tf.reading.inbox import Inbox, Peer
from fanogan_tf.reading.ledger import Instance, Ledger, State
from fanogan_tf.reading.results import objects

_IDLE_SECONDS, _LEDGER_SECONDS = 0.2, 2.0


class Node:
    """Takes instances through their states, see `State`.

    Args:
      detector: calibrated; anything that can `judge`.
      algorithm, marked_from, whole_seen: see `results.Results`.
      folder: of this node alone: instances, results and, unless the ledger is elsewhere, the ledger.
      destination: where results go.
      title: the node's AE title.
      modalities: what the model was made for, as DICOM names it.
    """

    def __init__(
        self,
        detector: Any,
        algorithm: Algorithm,
        marked_from: float | None,
        ledger: Ledger,
        folder: Path,
        destination: Peer,
        title: str,
        modalities: tuple[str, ...],
        whole_seen: bool = True,
    ):
        self.detector, self.algorithm, self.marked_from, self.whole_seen = detector, algorithm, marked_from, whole_seen
        self.ledger, self.folder, self.destination, self.title, self.modalities = ledger, folder, destination, title, modalities

    def run(self, inbox: Inbox, host: str, port: int, stop: threading.Event) -> None:
        """Listens, scores and sends until `stop`.

        Raises:
          UserError: what `Inbox.start` raises.
        """
        server = inbox.start(host, port)
        print(f"listening as {self.title} on {host}:{server.server_address[1]}; {_told(self.ledger.counts())}", flush=True)
        loops = [threading.Thread(target=self.work, args=(State.SCORED, self.send, stop), daemon=True)]
        for loop in loops:
            loop.start()
        try:
            self.work(State.RECEIVED, self.score, stop)
        finally:
            stop.set()
            server.shutdown()
            for loop in loops:
                loop.join(timeout=30)
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
            modality = str(source.get("Modality", ""))
            if modality not in self.modalities:
                self.ledger.left(row, f"of modality {modality or 'unknown'}, and the model is for {', '.join(self.modalities)}")
                return
            # What a node that was killed left half written must not be sent with the rest.
            shutil.rmtree(self.results(row), ignore_errors=True)
            finding, film = self._find(read_image_dicom(Path(row.path)))
            for kind, result in objects(source, film, finding, self.algorithm).items():
                with files.whole_file(self.results(row) / f"{kind}.dcm") as temporary:
                    result.save_as(temporary, enforce_file_format=True)
        except OSError as error:
            logging.error("cannot write results: %s", error.strerror)
            self.ledger.later(row, f"results cannot be written ({error.strerror})")
        except SQLAlchemyError:
            raise
        except Exception as error:
            # One instance must not stop all others: whatever pydicom, highdicom or the networks say becomes its reason.
            self.ledger.failed(row, _without_path(error, row))
        else:
            self.ledger.scored(row, finding.score, finding.probability, finding.anomalous)

    def _find(self, image: np.ndarray) -> tuple[Finding, np.ndarray]:
        """What is said of an image (H, W) uint16, and the image in [-1, 1]."""
        seen = resize(self.detector.cut(image), self.detector.image_shape[:2])
        batch = unlabelled_batch([""], [seen])
        said = {name: values[0] for name, values in self.detector.judge(batch["image"]).items()}
        return Finding.of(said, batch["image"][0], self.marked_from, self.whole_seen), to_signed(image)

    def results(self, row: Instance) -> Path:
        """The folder of an instance's results; a name that no sender can choose."""
        return self.folder / "results" / hashlib.sha256(row.sop_instance.encode()).hexdigest()

    def send(self, row: Instance) -> None:
        """Sends the results of one instance; where that fails, they wait for the next try.

        Killed between the destination's answer and the ledger, it sends them again: they have the same UIDs, and the archive has
        them once.
        """
        import pydicom
        from pynetdicom import AE

        try:
            found = [pydicom.dcmread(path) for path in sorted(self.results(row).glob("*.dcm"))]
        except Exception as error:  # Results that somebody else damaged: pydicom raises nearly anything.
            self.ledger.failed(row, f"its results cannot be read: {_without_path(error, row)}")
            return
        entity = AE(ae_title=self.title)
        for one in {(result.SOPClassUID, result.file_meta.TransferSyntaxUID) for result in found}:
            entity.add_requested_context(*one)
        link = entity.associate(self.destination.address, self.destination.port, ae_title=self.destination.title)
        if not link.is_established:
            why = "rejects us" if link.is_rejected else "does not answer"
            self.ledger.later(row, f"{self.destination.title}@{self.destination.address}:{self.destination.port} {why}")
            return
        try:
            for result in found:
                status = link.send_c_store(result)
                # Warnings of 0xB000 and above are of what was stored all the same.
                if "Status" not in status or (status.Status and status.Status & 0xF000 != 0xB000):
                    said = f"0x{status.Status:04X}" if "Status" in status else "nothing"
                    self.ledger.later(row, f"{self.destination.title} answered {said} to a {result.SOPClassUID.name}")
                    return
        except (RuntimeError, ValueError, OSError) as error:
            self.ledger.later(row, _without_path(error, row))
            return
        finally:
            link.release()
        self.ledger.sent(row)


def start(
    model: Path,
    folder: Path,
    ledger_url: str,
    title: str,
    host: str,
    port: int,
    peers: list[Peer],
    destination: Peer,
    modalities: tuple[str, ...],
    keep_free: int,
    retries: int,
) -> None:
    """Runs a node with an exported model until it is interrupted.

    Raises:
      UserError: there is no model of ours, or one that needs more than the image; the port is not to be had.
    """
    from fanogan_tf.detection.calibration import Calibration
    from fanogan_tf.serving import saved_model

    served = saved_model.load(model)
    if served.INPUTS != ("image",):
        raise UserError(f"{served.path}: needs {', '.join(served.INPUTS)} of every image, and a node gets images alone")
    card = served.card
    if not card:
        raise UserError(f"{served.path}: its model card is gone; export the run again")
    algorithm = Algorithm.of(card["flags"]["method"], card["weights"], card["flags"]["false_positive_rate"])
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(ledger_url or f"sqlite:///{folder / 'ledger.sqlite'}", retries)
    marked_from = Calibration.from_json(card["calibration"]).marked_from
    whole_seen = card["flags"].get("region", "none") != "crop"
    node = Node(served, algorithm, marked_from, ledger, folder, destination, title, modalities, whole_seen)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    node.run(Inbox(ledger, folder / "instances", title, peers, keep_free), host, port, stop)


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[state]} {state}" for state in State if state in counts) or "nothing has arrived yet"


def _without_path(error: Exception, row: Instance) -> str:
    """The error in one line, without where the file lies."""
    return " ".join((str(error) or type(error).__name__).replace(f"{row.path}: ", "").split())[:300]
