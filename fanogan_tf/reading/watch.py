"""An archive on the web, watched (DICOMweb, PS3.18): new images are found by QIDO-RS and fetched by WADO-RS."""

import datetime
import hashlib
import io
import threading
from collections.abc import Callable
from typing import Any

from absl import logging

from fanogan_tf import errors
from fanogan_tf.errors import UserError
from fanogan_tf.reading.keeping import Keeper
from fanogan_tf.reading.ledger import OtherContent
from fanogan_tf.reading.outbox import web_error

_STUDY, _SERIES, _SOP_INSTANCE, _MODALITY, _INSTANCES = "0020000D", "0020000E", "00080018", "00080060", "00201208"
_PAGE = 500
SENDER = "dicomweb"  # What the ledger says of who sent it.


def client_of(url: str) -> Any:
    """A client of the archive at `url`, which retries nothing: the ledger does.

    Raises:
      UserError: it is no address of the web, or dicomweb-client is not installed.
    """
    errors.need("dicomweb_client", "reading", "--dicomweb")
    from dicomweb_client import DICOMwebClient

    if not url.startswith(("http://", "https://")):
        raise UserError("--dicomweb: give the address of an archive, as in http://127.0.0.1:8042/dicom-web")
    client = DICOMwebClient(url)
    client.set_http_retry_params(retry=False)
    return client


class Watch:
    """Brings new images of an archive to a keeper.

    Args:
      client: see `client_of`.
      modalities: which series are of interest. Results of ours are of others.
      days: how many days back a study's date may lie; 0: any.
      every: seconds between two looks.
    """

    def __init__(self, client: Any, keeper: Keeper, modalities: tuple[str, ...], days: int, every: float):
        self.client, self.keeper, self.modalities, self.days, self.every = client, keeper, modalities, days, every
        self._stop = threading.Event()
        self._seen: dict[str, int] = {}  # How many instances a study had when all of them were here.

    def start(self) -> str:
        """Looks again and again, in the background; returns in words what it does."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return f"watching an archive on the web for {', '.join(self.modalities)}"

    def end(self) -> None:
        """Looks no more."""
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:
                # An archive that is down, a disk that is full: the next look may do better. Its words may name a patient.
                logging.error("watching the archive: %s", _reason(error))
            self._stop.wait(self.every)

    def look(self) -> int:
        """Fetches what is new; returns how many instances came.

        Raises:
          requests.RequestException: the archive does not answer.
          OSError: the disk does not take it.
        """
        came = 0
        for modality in self.modalities:
            since = datetime.date.today() - datetime.timedelta(days=self.days)
            dated = {"StudyDate": f"{since:%Y%m%d}-"} if self.days else {}
            filters = {"ModalitiesInStudy": modality, **dated}
            for study in _all(self.client.search_for_studies, _STUDY, search_filters=filters):
                if self._stop.is_set():
                    return came
                came += self._of_study(_value(study, _STUDY), int(_value(study, _INSTANCES) or -1))
        return came

    def _of_study(self, study: str, instances: int) -> int:
        if self._seen.get(study) == instances != -1:
            return 0
        came, whole = 0, True
        for series in _all(self.client.search_for_series, _SERIES, study):
            if _value(series, _MODALITY) not in self.modalities:
                continue
            place = study, _value(series, _SERIES)
            for instance in _all(self.client.search_for_instances, _SOP_INSTANCE, *place):
                sop_instance = _value(instance, _SOP_INSTANCE)
                if self.keeper.ledger.digest(sop_instance) is None:
                    fetched = self._fetch(*place, sop_instance)
                    came, whole = came + fetched, whole and fetched
        if whole:
            self._seen[study] = instances
        return came

    def _fetch(self, study: str, series: str, sop_instance: str) -> bool:
        """Brings one instance in the form in which the archive has it; False where the archive does not give it."""
        from requests import HTTPError

        try:
            found = self.client.retrieve_instance(study, series, sop_instance, media_types=(("application/dicom", "*"),))
            file = io.BytesIO()
            found.save_as(file, enforce_file_format=True)
            content = file.getvalue()
            self.keeper.keep(sop_instance, hashlib.sha256(content).hexdigest(), content, SENDER, found)
        except (HTTPError, OtherContent, ValueError, AttributeError) as error:
            logging.error("%s: cannot be fetched: %s", sop_instance, _reason(error))
            return False
        return True


def _all(search: Callable[..., list[dict]], key: str, *place: str, **how: Any) -> list[dict]:
    """All that a search finds, page by page. `key` tells them apart: some archives answer any offset with the first page."""
    found: dict[str, dict] = {}
    while True:
        page = search(*place, limit=_PAGE, offset=len(found), **how)
        new = {_value(one, key): one for one in page if _value(one, key) not in found}
        found |= new
        if not new or len(page) < _PAGE:
            return list(found.values())


def _value(found: dict, tag: str) -> str:
    """The first value of an attribute of DICOM's JSON; empty where it has none."""
    return str((found.get(tag, {}).get("Value") or [""])[0])


def _reason(error: Exception) -> str:
    return web_error(error) if hasattr(error, "response") else type(error).__name__
