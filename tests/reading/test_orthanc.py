"""With a real archive: Debian's Orthanc, where it is installed (orthanc, orthanc-dicomweb)."""

import io
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import highdicom
import pydicom
import pytest
import requests

from fanogan_tf.reading.inbox import Peer
from fanogan_tf.reading.keeping import Keeper
from fanogan_tf.reading.ledger import Ledger, State
from fanogan_tf.reading.node import Node
from fanogan_tf.reading.outbox import Stow
from fanogan_tf.reading.watch import Watch, client_of
from fanogan_tf.reading.worklist import Filter, WorkList
from tests.reading.test_node import HERE, MODEL, Running, film, free_port, make, send, wait

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

    def get(self, path, data=None):
        """What its REST API says, to a POST where there is data; as bytes or read from JSON."""
        request = urllib.request.Request(f"http://{HERE}:{self.http}{path}", data=data)
        with urllib.request.urlopen(request, timeout=10) as answer:
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
    running = Running(*make(tmp_path, Peer("ARCHIVE", HERE, orthanc.port)))
    films = [film(tmp_path / "films", number, PatientID=f"P{number}") for number in range(20)]
    assert send(running.port, films) == [0x0000] * 20
    ledger = running.ledger
    wait(lambda: ledger.counts() == {State.SENT: 20}, seconds=60)
    running.end()
    scores = {row.study: row.score for row in ledger.rows()}
    assert [row.study for row in WorkList(ledger).rows(Filter())] == sorted(scores, key=lambda study: -scores[study])
    assert len(orthanc.get("/studies")) == 20 and len(orthanc.get("/instances")) == 80
    for study, score in scores.items():
        (series,) = orthanc.get(f"/dicom-web/studies/{study}/series?Modality=SR")
        where = f"/dicom-web/studies/{study}/series/{series['0020000E']['Value'][0]}/instances"
        (instance,) = [one["00080018"]["Value"][0] for one in orthanc.get(where)]
        (stored,) = _looked_up(orthanc, instance)
        report = highdicom.sr.EnhancedSR.from_dataset(pydicom.dcmread(io.BytesIO(orthanc.get(f"/instances/{stored}/file"))))
        (group,) = report.content.get_image_measurement_groups()
        assert group.get_measurements()[0].value == pytest.approx(score, rel=1e-6)


def test_an_archive_on_the_web_is_watched(tmp_path, orthanc):
    """Its films are fetched once, also after a restart; its own results are left alone; results are stored there."""
    films = [film(tmp_path / "films", number, StudyDate="20200101") for number in range(3)]
    for path in [*films, film(tmp_path / "films", 9, Modality="MG")]:
        orthanc.get("/instances", path.read_bytes())
    client = client_of(f"http://{HERE}:{orthanc.http}/dicom-web")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    keeper = Keeper(ledger, tmp_path / "instances", 0)
    node = Node(MODEL, ledger, tmp_path, Stow(client))
    assert Watch(client, keeper, ("DX",), days=7, every=1.0).look() == 0  # Six years old.
    running = Running(node, Watch(client, keeper, ("DX",), days=0, every=0.2))
    wait(lambda: ledger.counts() == {State.SENT: 3}, seconds=60)
    running.end()
    assert len(orthanc.get("/instances")) == 4 + 3 * 4
    assert Watch(client, keeper, ("DX",), days=0, every=1.0).look() == 0
    for path, row in zip(films, ledger.rows(), strict=True):
        assert Path(row.path).is_file() and row.sender == "dicomweb"
        kept, sent = pydicom.dcmread(row.path), pydicom.dcmread(path)
        assert (
            kept.pixel_array == sent.pixel_array
        ).all() and kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


def _looked_up(orthanc, instance):
    return [one["ID"] for one in orthanc.get("/tools/lookup", instance.encode()) if one["Type"] == "Instance"]


def test_the_reading_room(tmp_path):
    """The whole loop by its own script: films sent to the archive are in the work list in order, their results in the archive."""
    room = Path(__file__).parents[2] / "scripts" / "reading_room.py"
    process = subprocess.Popen(
        [sys.executable, str(room), f"--work={tmp_path}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("reading at"):
                break
        said = "".join(said)
        address, password = re.search(r"reading at (\S+)/", said)[1], re.search(r"password (\S+);", said)[1]
        ledger = Ledger(f"sqlite:///{tmp_path / 'node' / 'ledger.sqlite'}")
        wait(lambda: ledger.counts() == {State.SENT: 20}, seconds=90)
        with requests.Session() as reader:
            token = re.search(r'name="token" value="([^"]+)"', reader.get(f"{address}/login").text)[1]
            page = reader.post(f"{address}/login", data={"name": "reader", "password": password, "token": token}).text
        order = re.findall(r'href="/study\?uid=([0-9.]+)', page)
        rows = WorkList(ledger).rows(Filter())
        assert order == [row.study for row in rows] and len(order) == 20
        # Every fifth film has an opacity.
        assert [row.anomalous for row in rows] == [True] * 4 + [False] * 16
        archive = re.search(r"archive: (\S+)/app", said)[1]
        assert len(requests.get(f"{archive}/instances").json()) == 20 * 5
    finally:
        process.terminate()
        assert process.wait(60) == 0
