"""What arrives, kept: first as a file that is on the disk whatever happens, then in the ledger."""

import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from fanogan_tf.reading.ledger import Ledger, OtherContent


class DiskFull(OSError):
    """What arrives is not accepted, so that what is there can be kept."""


class Keeper:
    """Keeps each instance as a file in `folder` and enters it in `ledger`; for several threads.

    Args:
      keep_free: bytes that stay free on the disk; it accepts nothing beyond.
    """

    def __init__(self, ledger: Ledger, folder: Path, keep_free: int):
        self.ledger, self.folder, self.keep_free = ledger, Path(folder), keep_free
        self.folder.mkdir(parents=True, exist_ok=True)
        for half in self.folder.glob("*.part"):
            half.unlink()  # Never acknowledged: whoever sent it will do so again.

    def keep(self, sop_instance: str, digest: str, content: bytes, sender: str, about: Any) -> None:
        """Keeps one; one that is there already, it leaves as it is.

        Args:
          digest: sha256 of its data set as it was sent.
          content: the whole file.
          about: pydicom Dataset that says which study it belongs to; None where it cannot be read.

        Raises:
          OtherContent: it came before, and was not this.
          DiskFull: it would take more of the disk than it may.
          OSError: the disk does not take it.
        """
        if shutil.disk_usage(self.folder).free - len(content) < self.keep_free:
            raise DiskFull(f"the disk of {self.folder} is nearly full; nothing more is accepted")
        before = self.ledger.digest(sop_instance)
        if before is None:
            # A name that no sender can choose, and another one for other content.
            name = hashlib.sha256(f"{sop_instance} {digest}".encode()).hexdigest()
            _on_disk(self.folder / f"{name}.dcm", content)
            study, patient, date = _place(about)
            self.ledger.note_study(study, patient, date)
            self.ledger.enter(sop_instance, study, sender, self.folder / f"{name}.dcm", digest)
        elif before != digest:
            raise OtherContent(sop_instance)


def _place(about: Any) -> tuple[str, str, str]:
    """Study UID, patient as a sha256 that names nobody, and study date as YYYYMMDD; empty where they are not known."""
    try:
        known = [" ".join(str(about.get(name) or "").split()) for name in ("StudyInstanceUID", "PatientID", "StudyDate")]
        issuer = str(about.get("IssuerOfPatientID") or "")
    except Exception:  # A damaged data set makes pydicom raise nearly anything; what is wrong is said when it is scored.
        return "", "", ""
    study, patient, date = known
    patient = hashlib.sha256(f"{issuer}\n{patient}".encode()).hexdigest() if patient else ""
    return study[:64], patient, date if len(date) == 8 and date.isdecimal() else ""


def _on_disk(path: Path, content: bytes) -> None:
    """Writes a file of which, whatever happens, there is all or nothing."""
    # Two senders may bring one instance at the same moment.
    part = path.with_suffix(f".{uuid.uuid4().hex}.part")
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
