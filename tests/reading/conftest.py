"""A node's folder and ledger that the readers' page is tested on."""

import numpy as np
import pytest

from fanogan_tf.reading.ledger import Ledger, State
from fanogan_tf.reading.model import FilmModel
from fanogan_tf.reading.node import Node
from tests.reading.test_node import ALGORITHM, Brightness, film

SCRIPT = "<script>alert(1)</script>"  # A patient's name, and a note.


class WithFilter(Brightness):
    """Restores every image as black, and calls those below -.01 certainly normal."""

    def judge(self, images):
        said = super().judge(images)
        return said | {"certainly_normal": said["score"] < -0.01, "reconstruction": -np.ones_like(images)}


class Nowhere:
    """A destination that takes everything."""

    def send(self, results):
        assert results


def filled(folder):
    """A ledger of seven studies: six scored, of which the first two are of one patient, and one that failed."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    node = Node(FilmModel(WithFilter(), ALGORITHM, 0.5, ("DX",)), ledger, folder, Nowhere())
    for number in range(7):
        about = {"PatientID": f"P{max(number, 1)}", "PatientName": SCRIPT if number == 3 else f"Doe^{number}"}
        about |= {"PixelData": b"\0\0"} if number == 6 else {}
        path = film(folder / "films", number, StudyDate=f"2026010{number + 1}", **about)
        ledger.note_study(f"1.2.{number}", about["PatientID"], f"2026010{number + 1}")
        ledger.enter(f"1.2.{number}.1.1", f"1.2.{number}", "SENDER", path, "digest")
    while (row := ledger.next(State.RECEIVED)) is not None:
        node.score(row)
    while (row := ledger.next(State.SCORED)) is not None:
        node.send(row)
    return ledger


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("node")


@pytest.fixture(scope="module")
def ledger(folder):
    return filled(folder)
