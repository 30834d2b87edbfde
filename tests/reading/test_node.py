"""A node, an archive and a sender, over the network of this machine."""

import dataclasses
import multiprocessing
import os
import random
import shutil
import socket
import threading
import time

import numpy as np
import pydicom
import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from sqlalchemy.exc import OperationalError

from fanogan_tf.errors import UserError
from fanogan_tf.reading.finding import Algorithm
from fanogan_tf.reading.inbox import Inbox, Peer
from fanogan_tf.reading.keeping import Keeper
from fanogan_tf.reading.ledger import Call, Instance, Ledger, State, Study
from fanogan_tf.reading.model import FilmModel
from fanogan_tf.reading.node import Node
from fanogan_tf.reading.outbox import CStore
from tests.helpers.oct_files import write_dicom

HERE = "127.0.0.1"
XRAY = "1.2.840.10008.5.1.4.1.1.1.1"
ALGORITHM = Algorithm("fanogan", "0.1.0", "ab" * 32, 0.05)


class Brightness:
    """A detector whose score is the mean grey level."""

    image_shape = (8, 8, 1)

    def cut(self, image):
        return image

    def box(self, image):
        return None

    def judge(self, images):
        scores = images.mean(axis=(1, 2, 3))
        return {"score": scores, "probability": 0.5 + scores / 2, "anomalous": scores > 0, "residual": np.abs(images)}


class Archive:
    """Keeps what it is sent, by its SOP instance, and how often that came."""

    def __init__(self):
        self.kept, self.times, self.answer = {}, {}, 0x0000
        entity = AE(ae_title="ARCHIVE")
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        self.server = entity.start_server((HERE, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        self.peer = Peer("ARCHIVE", HERE, self.server.server_address[1])

    def _store(self, event):
        if self.answer == 0x0000:
            result = event.dataset
            self.kept[result.SOPInstanceUID] = result
            self.times[result.SOPInstanceUID] = self.times.get(result.SOPInstanceUID, 0) + 1
        return self.answer


@pytest.fixture
def archive():
    kept = Archive()
    yield kept
    kept.server.shutdown()


MODEL = FilmModel(Brightness(), ALGORITHM, 0.5, ("DX", "CR"))


def make(folder, destination, retries=10, keep_free=0, model=MODEL, port=0):
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", retries)
    node = Node(model, ledger, folder, CStore(destination, "FANOGAN"))
    return node, Inbox(Keeper(ledger, folder / "instances", keep_free), "FANOGAN", [Peer("SENDER", HERE)], HERE, port)


class Running:
    """A node in a thread of its own."""

    def __init__(self, node, source):
        self.node, self.ledger, self.stop, self.source = node, node.ledger, threading.Event(), source
        self.thread = threading.Thread(target=node.run, args=(source, self.stop), daemon=True)
        self.thread.start()
        wait(lambda: getattr(source, "port", 1))

    @property
    def port(self):
        return self.source.port

    def end(self):
        self.stop.set()
        self.thread.join(30)


@pytest.fixture
def node(tmp_path, archive):
    running = Running(*make(tmp_path, archive.peer))
    yield running
    running.end()


def film(folder, number, seed=None, **attributes):
    pixels = np.random.default_rng(number if seed is None else seed).integers(0, 65536, (20, 16)).astype(np.uint16)
    where = {"StudyInstanceUID": f"1.2.{number}", "SeriesInstanceUID": f"1.2.{number}.1", "SOPInstanceUID": f"1.2.{number}.1.1"}
    return write_dicom(folder / f"{number}_{seed}.dcm", pixels, **({"Modality": "DX"} | where | attributes))


def send(port, paths, title="SENDER", called="FANOGAN"):
    """The statuses of C-STOREs of files, or None where the association is rejected."""
    sender = AE(ae_title=title)
    for context in (XRAY, "1.2.840.10008.5.1.4.1.1.7"):
        sender.add_requested_context(context, ["1.2.840.10008.1.2.1"])
    link = sender.associate(HERE, port, ae_title=called)
    if not link.is_established:
        return None
    statuses = []
    for path in paths:
        status = link.send_c_store(pydicom.dcmread(path))
        statuses.append(status.get("Status"))
    link.release()
    return statuses


def wait(ready, seconds=30.0):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.05)


def test_from_sender_to_archive(tmp_path, node, archive):
    films = [film(tmp_path / "films", number) for number in range(3)]
    assert send(node.port, films) == [0x0000] * 3
    wait(lambda: node.ledger.counts() == {State.SENT: 3})
    assert len(archive.kept) == 12 and set(archive.times.values()) == {1}
    studies = {result.StudyInstanceUID for result in archive.kept.values()}
    assert studies == {"1.2.0", "1.2.1", "1.2.2"}
    for row, path in zip(node.ledger.rows(), films, strict=True):
        pixels = pydicom.dcmread(path).pixel_array
        assert row.score == pytest.approx(pixels.mean() / 32767.5 - 1, abs=0.02)
        assert row.sender == "SENDER" and row.anomalous == (row.score > 0)


def test_who_is_not_listed_is_rejected(tmp_path, node):
    path = film(tmp_path / "films", 1)
    assert send(node.port, [path], title="STRANGER") is None
    assert send(node.port, [path], called="OTHER") is None
    elsewhere = Running(*_of(tmp_path / "other", [Peer("SENDER", "192.0.2.7")]))
    try:
        assert send(elsewhere.port, [path]) is None
    finally:
        elsewhere.end()
    assert node.ledger.counts() == {} and not list((tmp_path / "instances").iterdir())


def _of(folder, peers):
    folder.mkdir()
    node, inbox = make(folder, Peer("ARCHIVE", HERE, 1))
    inbox.peers = peers
    return node, inbox


def test_what_is_no_dicom_stops_nobody(tmp_path, node):
    """Another protocol, a PDU that claims 4 GiB, one that breaks off, and UIDs that are paths."""
    claims = b"\x01\x00\xff\xff\xff\xff" + bytes(100_000)
    kept = []
    for said in (b"GET / HTTP/1.1\r\n\r\n", claims, b"\x04\x00\x00\x00\x00\x10half", bytes(64)):
        kept.append(socket.create_connection((HERE, node.port)))
        kept[-1].sendall(said)
    path = film(tmp_path / "films", 1, StudyInstanceUID="../../../../tmp/evil")
    assert send(node.port, [path, film(tmp_path / "films", 2)]) == [0x0000] * 2
    wait(lambda: node.ledger.counts() == {State.FAILED: 1, State.SENT: 1})
    assert node.ledger.rows()[0].reason == "it has no valid StudyInstanceUID"
    for one in kept:
        one.close()


def test_an_address_that_is_not_listed_is_hung_up_on(tmp_path):
    elsewhere = Running(*_of(tmp_path / "other", [Peer("SENDER", "192.0.2.7")]))
    try:
        with socket.create_connection((HERE, elsewhere.port), timeout=10) as link:
            assert link.recv(1) == b""
    finally:
        elsewhere.end()


def test_the_same_again_is_one_and_other_content_is_refused(tmp_path, node):
    path, other = film(tmp_path / "films", 1), film(tmp_path / "films", 1, seed=9)
    assert send(node.port, [path, path]) == [0x0000, 0x0000]
    assert send(node.port, [other]) == [0x0111]
    wait(lambda: node.ledger.counts() == {State.SENT: 1})
    assert len(list((tmp_path / "instances").iterdir())) == 1


def test_what_cannot_be_scored_stops_nobody(tmp_path, node, archive):
    films = [
        film(tmp_path / "films", 0),
        film(tmp_path / "films", 1, Modality="MG"),
        film(tmp_path / "films", 2, PixelData=b"\0\0"),
        film(tmp_path / "films", 3, StudyInstanceUID=None),
        film(tmp_path / "films", 4, NumberOfFrames=2),
        film(tmp_path / "films", 5),
    ]
    assert set(send(node.port, films)) == {0x0000}
    wait(lambda: node.ledger.counts() == {State.SENT: 2, State.LEFT: 1, State.FAILED: 3})
    reasons = [row.reason for row in node.ledger.rows()]
    assert "modality MG" in reasons[1] and "unreadable DICOM" in reasons[2]
    assert reasons[3] == "it has no valid StudyInstanceUID" and "2 frames" in reasons[4]
    assert not any(str(tmp_path) in reason for reason in reasons)
    assert len(archive.kept) == 8


def test_an_archive_that_does_not_answer(tmp_path, archive):
    """Retries, then says so; what waits is sent once the archive is back."""
    archive.answer = 0xA700
    node, _ = make(tmp_path, archive.peer, retries=1)
    path = film(tmp_path / "films", 1)
    node.ledger.enter("1.2.1.1.1", "1.2.1", "SENDER", path, "digest")
    node.score(node.ledger.next(State.RECEIVED))
    row = node.ledger.next(State.SCORED)
    node.send(row)
    waiting = node.ledger.rows()[0]
    assert waiting.state == State.SCORED and waiting.tries == 1 and "0xA700" in waiting.reason
    assert node.ledger.next(State.SCORED) is None  # Not yet.
    archive.answer = 0x0000
    node.send(waiting)
    assert node.ledger.rows()[0].state == State.SENT and len(archive.kept) == 4


def test_an_archive_that_is_not_there(tmp_path):
    path = film(tmp_path / "films", 1)
    gone, _ = make(tmp_path, Peer("ARCHIVE", HERE, 1), retries=0)
    gone.ledger.enter("1.2.1.1.1", "1.2.1", "SENDER", path, "digest")
    gone.score(gone.ledger.next(State.RECEIVED))
    gone.send(gone.ledger.next(State.SCORED))
    (failed,) = gone.ledger.rows()
    assert failed.state == State.FAILED and "127.0.0.1:1 does not answer; given up after 1 tries" in failed.reason


def test_a_full_disk_accepts_nothing_and_keeps_what_there_is(tmp_path, archive):
    running = Running(*make(tmp_path, archive.peer, keep_free=shutil.disk_usage(tmp_path).total * 2))
    try:
        assert send(running.port, [film(tmp_path / "films", 1)]) == [0xA700]
        assert running.ledger.counts() == {}
    finally:
        running.end()


def test_what_a_killed_node_left_half_written_is_not_sent(tmp_path, archive):
    node, _ = make(tmp_path, archive.peer)
    node.ledger.enter("1.2.1.1.1", "1.2.1", "SENDER", film(tmp_path / "films", 1), "digest")
    row = node.ledger.next(State.RECEIVED)
    node.results(row).mkdir(parents=True)
    (node.results(row) / ".report.77.dcm").write_bytes(b"half")
    node.score(row)
    node.send(node.ledger.next(State.SCORED))
    assert node.ledger.counts() == {State.SENT: 1} and len(archive.kept) == 4


def test_one_that_breaks_a_step_does_not_stop_the_rest(tmp_path, archive):
    node, _ = make(tmp_path, archive.peer)
    for number in (1, 2):
        node.ledger.enter(f"1.2.{number}.1.1", f"1.2.{number}", "SENDER", film(tmp_path / "films", number), "digest")
    stop, seen = threading.Event(), []

    def step(row):
        seen.append(row.sop_instance)
        if len(seen) == 2:
            stop.set()
        raise ZeroDivisionError("broken")

    node.work(State.RECEIVED, step, stop)
    assert seen == ["1.2.1.1.1", "1.2.2.1.1"]
    assert [(row.state, row.tries, row.reason) for row in node.ledger.rows()] == [(State.RECEIVED, 1, "broken")] * 2


def test_a_film_without_lungs_is_not_answered(tmp_path, archive):
    without = Brightness()
    without.judge = lambda images: Brightness().judge(images) | {"region_found": np.zeros(len(images), bool)}
    node, _ = make(tmp_path, archive.peer, model=dataclasses.replace(MODEL, detector=without))
    node.ledger.enter("1.2.1.1.1", "1.2.1", "SENDER", film(tmp_path / "films", 1), "digest")
    node.score(node.ledger.next(State.RECEIVED))
    (row,) = node.ledger.rows()
    assert (row.state, row.reason) == (State.FAILED, "its lungs were not found, or are strange") and row.score is None


def test_a_ledger_that_does_not_answer_ends_nothing(tmp_path, archive, monkeypatch):
    monkeypatch.setattr("fanogan_tf.reading.node._LEDGER_SECONDS", 0.01)
    node, _ = make(tmp_path, archive.peer)
    node.ledger.enter("1.2.1.1.1", "1.2.1", "SENDER", film(tmp_path / "films", 1), "digest")
    stop, asked, real = threading.Event(), [], node.ledger.next

    def next_one(state):
        asked.append(state)
        if len(asked) == 1:
            raise OperationalError("select", {}, Exception("disk is full"))
        return real(state)

    monkeypatch.setattr(node.ledger, "next", next_one)
    node.work(State.RECEIVED, lambda row: (node.score(row), stop.set()), stop)
    assert len(asked) == 2 and node.ledger.counts() == {State.SCORED: 1}


def test_nobody_is_named(tmp_path, node):
    """Of the patient the ledger has a sha256, by which studies of one are found."""
    films = [film(tmp_path / "films", number, PatientID="P7", PatientName="Doe^Jane", StudyDate="20260102") for number in (1, 2)]
    send(node.port, films)
    wait(lambda: node.ledger.counts() == {State.SENT: 2})
    with node.ledger.sessions() as session:
        studies = session.query(Study).all()
    assert {(one.study, one.date) for one in studies} == {("1.2.1", "20260102"), ("1.2.2", "20260102")}
    assert len({one.patient for one in studies}) == 1 and len(studies[0].patient) == 64
    columns = {column.name for table in (Instance, Study, Call) for column in table.__table__.columns}
    assert not [name for name in columns if "name" in name]
    assert b"Doe" not in (tmp_path / "ledger.sqlite").read_bytes() + (tmp_path / "ledger.sqlite-wal").read_bytes()


@pytest.mark.parametrize("words", ["", "ARCHIVE", "ARCHIVE@", "@127.0.0.1:1", "A@h:x", "A@h:70000", "SEVENTEENLETTERSX@h:1"])
def test_peers_in_another_form(words):
    with pytest.raises(UserError, match="give TITLE@ADDRESS:PORT"):
        Peer.of(words, "destination", listens=True)


def _node_process(folder, destination, port):
    node, inbox = make(folder, destination, port=port)
    node.run(inbox, threading.Event())


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_nothing_twice(tmp_path, archive):
    """Ten times by SIGKILL. What was acknowledged is answered; the archive has each result once, and each time the same one."""
    films = [film(tmp_path / "films", number) for number in range(20)]
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.helpers.imported"])
    chance, waiting, port = random.Random(0), list(films), free_port()
    for _ in range(10):
        process = forks.Process(target=_node_process, args=(tmp_path, archive.peer, port))
        process.start()
        until = time.monotonic() + chance.uniform(0.5, 3.0)
        while time.monotonic() < until:
            waiting = _offered(port, waiting, most=2)
        process.kill()
        process.join()
    process = forks.Process(target=_node_process, args=(tmp_path, archive.peer, port))
    process.start()
    try:
        until = time.monotonic() + 60
        while waiting:
            assert time.monotonic() < until
            waiting = _offered(port, waiting, most=20)
        ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        wait(lambda: ledger.counts() == {State.SENT: 20}, seconds=60)
    finally:
        process.kill()
        process.join()
    assert len(archive.kept) == 80
    assert {result.StudyInstanceUID for result in archive.kept.values()} == {f"1.2.{number}" for number in range(20)}


def free_port():
    """Below those that the system gives to callers: who calls again and again where nobody listens may meet itself there."""
    for port in random.Random(os.getpid()).sample(range(20000, 30000), 100):
        with socket.socket() as probe:
            if probe.connect_ex((HERE, port)):
                return port
    raise AssertionError("no free port")


def _offered(port, waiting, most):
    """Sends the first of `waiting`; returns those that were not acknowledged."""
    statuses = send(port, waiting[:most]) or []
    if not statuses:
        time.sleep(0.1)
    done = {path for path, status in zip(waiting, statuses, strict=False) if status == 0x0000}
    return [path for path in waiting if path not in done]
