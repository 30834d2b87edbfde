"""Where results go: to a DICOM node by C-STORE, or to an archive on the web by STOW-RS (PS3.18, 10.5)."""

from typing import Any

from fanogan_tf.reading.inbox import Peer


class NotSent(Exception):
    """The destination does not take it now; says why, in words that name no patient."""


class CStore:
    """Another DICOM node. title: the AE title that calls."""

    def __init__(self, peer: Peer, title: str):
        self.peer, self.title = peer, title

    def send(self, results: list[Any]) -> None:
        """Sends pydicom Datasets over one association.

        Raises:
          NotSent: one of them was not taken, or nobody answers.
        """
        from pynetdicom import AE

        entity = AE(ae_title=self.title)
        for one in {(result.SOPClassUID, result.file_meta.TransferSyntaxUID) for result in results}:
            entity.add_requested_context(*one)
        link = entity.associate(self.peer.address, self.peer.port, ae_title=self.peer.title)
        if not link.is_established:
            why = "rejects us" if link.is_rejected else "does not answer"
            raise NotSent(f"{self.peer.title}@{self.peer.address}:{self.peer.port} {why}")
        try:
            for result in results:
                status = link.send_c_store(result)
                # Warnings of 0xB000 and above are of what was stored all the same.
                if "Status" not in status or (status.Status and status.Status & 0xF000 != 0xB000):
                    said = f"0x{status.Status:04X}" if "Status" in status else "nothing"
                    raise NotSent(f"{self.peer.title} answered {said} to a {result.SOPClassUID.name}")
        except (RuntimeError, ValueError, OSError) as error:
            raise NotSent(f"{self.peer.title}: {' '.join(str(error).split())[:200]}") from error
        finally:
            link.release()


class Stow:
    """An archive on the web, whose address may hold a password and is not repeated. client: of dicomweb-client."""

    def __init__(self, client: Any):
        self.client = client

    def send(self, results: list[Any]) -> None:
        """Stores pydicom Datasets of one study.

        Raises:
          NotSent: one of them was not taken, or nobody answers.
        """
        from requests import RequestException

        try:
            answer = self.client.store_instances(results)
        except (RequestException, ValueError) as error:
            raise NotSent(f"the archive on the web {web_error(error)}") from error
        refused = answer.get("FailedSOPSequence") or []
        if refused:
            why = f"0x{refused[0].FailureReason:04X}"
            raise NotSent(f"the archive on the web refused {len(refused)} of {len(results)} results ({why})")


def web_error(error: Exception) -> str:
    """Why a request failed, without its address, which may hold a password or a patient's ID."""
    answer = getattr(error, "response", None)
    return f"answered {answer.status_code}" if answer is not None else f"does not answer ({type(error).__name__})"
