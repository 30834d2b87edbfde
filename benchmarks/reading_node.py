"""A node under load: python benchmarks/reading_node.py

1,000 synthetic films in a row over the network of this machine, every tenth damaged or of a foreign kind, to a node with networks
of random weights and on to an archive that keeps nothing. How fast, what became of each, and whether the memory grows.
"""

import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import command
import numpy as np
import synthetic

from fanogan_tf.networks.spec import NetworkSpec

WHAT = "Instances per second from a sender through a node to an archive; what became of them; memory on the way. Synthetic films."
HERE = "127.0.0.1"


def film(number: int, side: int = 256):
    """A film as a pydicom Dataset; every tenth is cut off, or has no pixels, several frames, another modality, or no study."""
    from pydicom.dataset import Dataset, FileMetaDataset

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", f"1.2.3.{number}.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = f"1.2.3.{number}", f"1.2.3.{number}.0", "DX"
    made.Rows = made.Columns = side
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit = 15
    made.PixelData = np.random.default_rng(number).integers(0, 65536, (side, side)).astype("<u2").tobytes()
    made["PixelData"].VR = "OW"
    if number % 10 == 9:
        kind = number // 10 % 5
        if kind == 0:
            made.PixelData = b"\0\0"
        elif kind == 1:
            del made.PixelData
        elif kind == 2:
            made.NumberOfFrames = 3
        elif kind == 3:
            made.Modality = "MG"
        else:
            del made.StudyInstanceUID
    return made


def resident_mib() -> float:
    """Of this process, in which all three run."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return round(pages * 4096 / 2**20, 1)


def full(quick: bool) -> dict:
    from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

    from fanogan_tf.reading.finding import Algorithm
    from fanogan_tf.reading.inbox import Inbox, Peer
    from fanogan_tf.reading.keeping import Keeper
    from fanogan_tf.reading.ledger import Ledger, State
    from fanogan_tf.reading.model import FilmModel
    from fanogan_tf.reading.node import Node
    from fanogan_tf.reading.outbox import CStore

    count = 20 if quick else 1_000
    folder = Path(tempfile.mkdtemp())
    archive = AE(ae_title="ARCHIVE")
    for context in AllStoragePresentationContexts:
        archive.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
    arrived: Counter = Counter()

    def count_it(event) -> int:
        arrived[event.request.AffectedSOPInstanceUID] += 1
        return 0x0000

    kept = archive.start_server((HERE, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, count_it)])
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    detector = synthetic.detector(NetworkSpec((64, 64, 1), dim=16, latent_dim=128))
    model = FilmModel(detector, Algorithm("fanogan", "0", "00" * 32, 0.05), 1.0, ("DX",))
    node = Node(model, ledger, folder, CStore(Peer("ARCHIVE", HERE, kept.server_address[1]), "FANOGAN"))
    inbox = Inbox(Keeper(ledger, folder / "instances", 0), "FANOGAN", [Peer("SENDER", HERE)], HERE, 0)
    stop = threading.Event()
    running = threading.Thread(target=node.run, args=(inbox, stop))
    running.start()
    while not inbox.port:
        time.sleep(0.01)
    sender = AE(ae_title="SENDER")
    sender.add_requested_context("1.2.840.10008.5.1.4.1.1.1.1", ["1.2.840.10008.1.2.1"])
    began, memory = time.perf_counter(), {}
    link = sender.associate(HERE, inbox.port, ae_title="FANOGAN")
    refused = sum(link.send_c_store(film(number)).Status != 0 for number in range(count))
    link.release()
    received = time.perf_counter() - began
    waiting = {State.RECEIVED, State.SCORED}
    while waiting & ledger.counts().keys():
        done = sum(number for state, number in ledger.counts().items() if state not in waiting)
        memory.setdefault(str(done // (count // 10) * (count // 10)), resident_mib())
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    stop.set()
    running.join()
    kept.shutdown()
    states, reasons = ledger.counts(), Counter(row.reason[:60] for row in ledger.rows() if row.reason)
    shutil.rmtree(folder)
    return {
        "instances": count,
        "refused": refused,
        "states": states,
        "reasons": dict(reasons),
        "results_at_the_archive": sum(arrived.values()),
        "results_that_came_twice": sum(times > 1 for times in arrived.values()),
        "received_per_second": round(count / received, 1),
        "answered_per_second": round(count / seconds, 1),
        "resident_mib_after": memory,
    }


if __name__ == "__main__":
    command.main("reading_node", WHAT, full)
