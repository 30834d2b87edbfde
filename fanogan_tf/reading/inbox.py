"""Where instances arrive: a DICOM storage SCP (C-ECHO, C-STORE) that keeps before it acknowledges."""

import dataclasses
import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from absl import logging

from fanogan_tf.errors import UserError
from fanogan_tf.reading.ledger import Ledger, OtherContent

# Statuses of PS3.4, annex B.2.3, and of PS3.7, annex C.
_SUCCESS, _OUT_OF_RESOURCES, _DUPLICATE = 0x0000, 0xA700, 0x0111
# Reasons to reject an association, PS3.8, table 9-21: permanently, by the user, the caller or the called is not known.
_CALLER_UNKNOWN, _CALLED_UNKNOWN = (0x01, 0x01, 0x03), (0x01, 0x01, 0x07)


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another DICOM node: its AE title and its address, and the port where it listens, 0 where none is known."""

    title: str
    address: str
    port: int = 0

    @classmethod
    def of(cls, text: str, flag: str, listens: bool = False) -> "Peer":
        """Reads TITLE@ADDRESS, with :PORT where it `listens`.

        Raises:
          UserError: `text`, given as `flag`, is of another form.
        """
        title, at, where = text.partition("@")
        address, colon, port = where.rpartition(":") if listens else (where, ":", "1")
        if not (0 < len(title.strip()) <= 16 and at and address and colon and port.isdecimal() and 0 < int(port) < 65536):
            form = "TITLE@ADDRESS:PORT" if listens else "TITLE@ADDRESS"
            raise UserError(f"--{flag}={text}: give {form}, the title of at most 16 letters")
        return cls(title.strip(), address, int(port) if listens else 0)


class Inbox:
    """Listens for instances, keeps each as a file in `folder` and enters it in `ledger`.

    Args:
      title: its own AE title.
      peers: who may send; all others are rejected.
      keep_free: bytes that stay free on the disk; it accepts nothing beyond.
    """

    def __init__(self, ledger: Ledger, folder: Path, title: str, peers: list[Peer], keep_free: int):
        self.ledger, self.folder, self.title, self.peers, self.keep_free = ledger, Path(folder), title, peers, keep_free
        self.folder.mkdir(parents=True, exist_ok=True)
        for half in self.folder.glob("*.part"):
            half.unlink()  # Never acknowledged: whoever sent it will do so again.

    def start(self, host: str, port: int) -> Any:
        """Listens from now on, in the background; returns pynetdicom's server.

        Raises:
          UserError: the port is not to be had.
        """
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        entity = AE(ae_title=self.title)
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            # Any transfer syntax is taken as it is; what cannot be decoded is said when it is scored.
            entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._asked),
            (evt.EVT_C_ECHO, lambda event: _SUCCESS),
            (evt.EVT_C_STORE, self._store),
        ]
        try:
            return entity.start_server((host, port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise UserError(f"--host={host} --port={port}: cannot listen there ({error.strerror}); take another port") from error

    def _asked(self, event: Any) -> None:
        """Rejects whoever is not listed, or does not mean this node."""
        asked, address = event.assoc.requestor.primitive, event.assoc.requestor.address
        caller, called = asked.calling_ae_title.strip(), asked.called_ae_title.strip()
        reason = None
        if (caller, address) not in {(peer.title, peer.address) for peer in self.peers}:
            reason = _CALLER_UNKNOWN
        elif called != self.title:
            reason = _CALLED_UNKNOWN
        if reason:
            logging.warning("rejected an association of %r at %s with %r", caller, address, called)
            event.assoc.acse.send_reject(*reason)
            event.assoc.is_rejected = True
            event.assoc.kill()

    def _store(self, event: Any) -> int:
        try:
            return self._keep(event)
        except OSError as error:
            logging.error("cannot keep what arrives: %s", error.strerror)
            return _OUT_OF_RESOURCES

    def _keep(self, event: Any) -> int:
        """Keeps what a C-STORE brings, and returns the status to answer with.

        Raises:
          OSError: the disk does not take it.
        """
        sop_instance = str(event.request.AffectedSOPInstanceUID)
        digest = hashlib.sha256(event.request.DataSet.getvalue()).hexdigest()
        content = event.encoded_dataset()
        if shutil.disk_usage(self.folder).free - len(content) < self.keep_free:
            logging.error("the disk of %s is nearly full; nothing more is accepted", self.folder)
            return _OUT_OF_RESOURCES
        before = self.ledger.digest(sop_instance)
        try:
            if before is None:
                # A name that no sender can choose, and another one for other content.
                name = hashlib.sha256(f"{sop_instance} {digest}".encode()).hexdigest()
                _on_disk(self.folder / f"{name}.dcm", content)
                sender = event.assoc.requestor.primitive.calling_ae_title.strip()
                self.ledger.enter(sop_instance, _study_of(event), sender, self.folder / f"{name}.dcm", digest)
            elif before != digest:
                raise OtherContent(sop_instance)
        except OtherContent:
            logging.warning("%s came again with other content, and is refused", sop_instance)
            return _DUPLICATE
        return _SUCCESS


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


def _study_of(event: Any) -> str:
    """The study's UID; empty where the data set cannot be read, which is said when it is scored."""
    try:
        return str(event.dataset.get("StudyInstanceUID", ""))[:64]
    except Exception:  # A damaged data set makes pydicom raise nearly anything.
        return ""
