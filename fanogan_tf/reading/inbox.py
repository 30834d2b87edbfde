"""Where instances arrive: a DICOM storage SCP (C-ECHO, C-STORE) that keeps before it acknowledges."""

import dataclasses
import hashlib
from typing import Any

from absl import logging

from fanogan_tf.errors import UserError
from fanogan_tf.reading.keeping import DiskFull, Keeper
from fanogan_tf.reading.ledger import OtherContent

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
    """Listens for instances and hands each to a keeper before it acknowledges it.

    Args:
      title: its own AE title.
      peers: who may send; all others are rejected.
      host, port: where to listen; port 0 is any that is free.
    """

    def __init__(self, keeper: Keeper, title: str, peers: list[Peer], host: str, port: int):
        self.keeper, self.title, self.peers, self.host, self.port = keeper, title, peers, host, port

    def start(self) -> str:
        """Listens from now on, in the background; returns in words where. `port` is known from then on.

        Raises:
          UserError: the port is not to be had.
        """
        self._server = self._listen()
        self.port = self._server.server_address[1]
        return f"listening as {self.title} on {self.host}:{self.port}"

    def end(self) -> None:
        """Listens no more."""
        self._server.shutdown()

    def _listen(self) -> Any:
        """Starts pynetdicom's server, and returns it."""
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        entity = AE(ae_title=self.title)
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            # Any transfer syntax is taken as it is; what cannot be decoded is said when it is scored.
            entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._asked),
            (evt.EVT_C_ECHO, lambda event: _SUCCESS),
            (evt.EVT_C_STORE, self._store),
        ]
        try:
            return entity.start_server((self.host, self.port), block=False, evt_handlers=handlers)
        except OSError as error:
            where = f"--host={self.host} --port={self.port}"
            raise UserError(f"{where}: cannot listen there ({error.strerror}); take another port") from error

    def _connected(self, event: Any) -> None:
        """Hangs up on addresses that are not listed before they have said anything: nothing limits what they could send."""
        address = event.address[0]
        if address not in {peer.address for peer in self.peers}:
            logging.warning("hung up on %s, which is not listed", address)
            event.assoc.dul.socket.close()

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
        """Keeps what a C-STORE brings, and returns the status to answer with."""
        sop_instance = str(event.request.AffectedSOPInstanceUID)
        digest = hashlib.sha256(event.request.DataSet.getvalue()).hexdigest()
        sender = event.assoc.requestor.primitive.calling_ae_title.strip()
        try:
            self.keeper.keep(sop_instance, digest, event.encoded_dataset(), sender, _about(event))
        except OtherContent:
            logging.warning("%s came again with other content, and is refused", sop_instance)
            return _DUPLICATE
        except DiskFull as error:
            logging.error("%s", error)
            return _OUT_OF_RESOURCES
        except OSError as error:
            logging.error("cannot keep what arrives: %s", error.strerror)
            return _OUT_OF_RESOURCES
        return _SUCCESS


def _about(event: Any) -> Any:
    """The data set; None where it cannot be read, which is said when it is scored."""
    try:
        return event.dataset
    except Exception:  # A damaged data set makes pydicom raise nearly anything.
        return None
