"""With a real archive: Debian's Orthanc, where it is installed (orthanc, orthanc-dicomweb)."""

import io
import json
import shutil
import subprocess
import threading
import urllib.request
from pathlib import Path

import highdicom
import pydicom
import pytest

from fanogan_tf.reading.inbox import Inbox, Peer
from fanogan_tf.reading.ledger import Ledger, State
from fanogan_tf.reading.node import Node
from tests.reading.test_node import ALGORITHM, HERE, Brightness, film, free_port, send, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc (Debian: orthanc, orthanc-dicomweb) is not installed"),
]
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    """An archive of its own, gone with its folder; it stores without asking who sends."""

    def __init__(self, folder):
        self.port = free_port()
        self.http = self.port + 1
        settings = {
            "Name": "ARCHIVE",
            "DicomAet": "ARCHIVE",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "DicomPort": self.port,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "Plugins": [str(_PLUGIN)] if _PLUGIN.exists() else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        folder.mkdir()
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.log = open(folder / "log", "w")  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=self.log, stderr=self.log)
        wait(lambda: self._there())

    def _there(self):
        try:
            return bool(self.get("/system"))
        except OSError:
            return False

    def get(self, path):
        """What its REST API says, as bytes or read from JSON."""
        with urllib.request.urlopen(f"http://{HERE}:{self.http}{path}", timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if "json" in answer.headers.get("Content-Type", "") else content

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture
def orthanc(tmp_path):
    archive = Orthanc(tmp_path / "orthanc")
    yield archive
    archive.end()


def test_twenty_studies_are_found_with_their_results(tmp_path, orthanc):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    peer = Peer("ARCHIVE", HERE, orthanc.port)
    node = Node(Brightness(), ALGORITHM, 0.5, ledger, tmp_path, peer, "FANOGAN", ("DX",))
    inbox = Inbox(ledger, tmp_path / "instances", "FANOGAN", [Peer("SENDER", HERE)], 0)
    port, stop = free_port(), threading.Event()
    running = threading.Thread(target=node.run, args=(inbox, HERE, port, stop))
    running.start()
    films = [film(tmp_path / "films", number, PatientID=f"P{number}") for number in range(20)]
    wait(lambda: send(port, films[:1]) is not None)
    assert send(port, films) == [0x0000] * 20
    wait(lambda: ledger.counts() == {State.SENT: 20}, seconds=60)
    stop.set()
    running.join(30)
    assert len(orthanc.get("/studies")) == 20 and len(orthanc.get("/instances")) == 80
    scores = {row.study: row.score for row in ledger.rows()}
    for study, score in scores.items():
        (series,) = orthanc.get(f"/dicom-web/studies/{study}/series?Modality=SR")
        where = f"/dicom-web/studies/{study}/series/{series['0020000E']['Value'][0]}/instances"
        (instance,) = [one["00080018"]["Value"][0] for one in orthanc.get(where)]
        (stored,) = _looked_up(orthanc, instance)
        report = highdicom.sr.EnhancedSR.from_dataset(pydicom.dcmread(io.BytesIO(orthanc.get(f"/instances/{stored}/file"))))
        (group,) = report.content.get_image_measurement_groups()
        assert group.get_measurements()[0].value == pytest.approx(score, rel=1e-6)


def _looked_up(orthanc, instance):
    request = urllib.request.Request(f"http://{HERE}:{orthanc.http}/tools/lookup", data=instance.encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [one["ID"] for one in json.loads(answer.read()) if one["Type"] == "Instance"]
