"""The commands that bring results to the radiologist: node, reading."""

import os
import signal
import threading
import warnings
from pathlib import Path

from absl import flags

from fanogan_tf import errors
from fanogan_tf.commands.command import Command
from fanogan_tf.errors import UserError, starting
from fanogan_tf.options import Options


def node(options: Options, given: frozenset[str]) -> None:
    """Receives DICOM images, scores them with an exported model, and sends the results to an archive.

    fanogan node --model=models/lungs --folder=node --peers=ARCHIVE@127.0.0.1 --destination=ARCHIVE@127.0.0.1:4242
    fanogan node --model=models/lungs --folder=node --dicomweb=http://127.0.0.1:8042/dicom-web

    Only listed peers may send. With --dicomweb, the node watches an archive, fetches what is new and stores the results there.
    What is acknowledged is on disk and in the ledger of the folder, so that a node which was killed goes on where it stood.
    Results go to the study of their image, in series of their own, for research and not for diagnosis.
    """
    values = flags.FLAGS
    _need("model", "models/first")
    _need("folder", "node")
    if not values.dicomweb:
        _need("peers", "ARCHIVE@127.0.0.1")
        _need("destination", "ARCHIVE@127.0.0.1:4242")
    for module in ("pynetdicom", "sqlalchemy", "highdicom"):
        errors.need(module, "reading", "fanogan node")
    with starting():
        from fanogan_tf.reading import model as models
        from fanogan_tf.reading import watch
        from fanogan_tf.reading.inbox import Inbox, Peer
        from fanogan_tf.reading.keeping import Keeper
        from fanogan_tf.reading.ledger import Ledger
        from fanogan_tf.reading.node import Node, Source
        from fanogan_tf.reading.outbox import CStore, Stow
    # A bar for every instance would fill the log.
    os.environ["TQDM_DISABLE"] = "1"
    _name_nobody()
    peers = [Peer.of(text, "peers") for text in values.peers]
    destination = Peer.of(values.destination, "destination", listens=True) if values.destination else None
    client = watch.client_of(values.dicomweb) if values.dicomweb else None
    model = models.exported(Path(values.model), tuple(values.modalities))
    folder = Path(values.folder)
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(_ledger(folder), values.retries)
    keeper = Keeper(ledger, folder / "instances", int(values.keep_free_gib * 1024**3))
    source: Source = Inbox(keeper, values.title, peers, values.host, values.port)
    if client is not None:
        source = watch.Watch(client, keeper, model.modalities, values.days, values.every)
    outbox = CStore(destination, values.title) if destination else Stow(client)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    Node(model, ledger, folder, outbox).run(source, stop)


def reading(options: Options, given: frozenset[str]) -> None:
    """Serves the readers' page over a node's folder: the work list, the films with their maps, and the readers' calls.

    fanogan reading --folder=node --users=users.txt --add_user=NAME
    fanogan reading --folder=node --users=users.txt

    The first form asks for a password and enters it, hashed, in the file of users; the second one serves.
    """
    values = flags.FLAGS
    _need("users", "users.txt")
    for module in ("starlette", "jinja2", "itsdangerous", "uvicorn", "sqlalchemy"):
        errors.need(module, "reading", "fanogan reading")
    from fanogan_tf.reading.page import server
    from fanogan_tf.reading.page.users import Users

    users = Users(Path(values.users))
    if values.add_user:
        users.ask(values.add_user)
        return
    _need("folder", "node")
    _name_nobody()
    folder = Path(values.folder)
    if not values.ledger and not (folder / "ledger.sqlite").is_file():
        raise UserError(f"--folder={folder}: no ledger of a node in it; fanogan node makes one, or give --ledger")
    server.serve(_ledger(folder), folder, users, values.ohif, values.host, values.port, values.certificate, values.key)


def _name_nobody() -> None:
    """What libraries warn of may name the patient: it goes into no log."""
    warnings.simplefilter("ignore")


def _need(name: str, example: str) -> None:
    if not flags.FLAGS[name].value:
        raise UserError(f"--{name}: has to be given, as in --{name}={example}")


def _ledger(folder: Path) -> str:
    return flags.FLAGS.ledger or f"sqlite:///{folder / 'ledger.sqlite'}"


def _shared_flags(port: int) -> None:
    flags.DEFINE_string("folder", "", "The node's own: what arrived, its results, and the ledger.")
    flags.DEFINE_string("ledger", "", "The ledger's database, as SQLAlchemy names it. Without it, an SQLite file in --folder.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on.")
    flags.DEFINE_integer("port", port, "Port to listen on; 0: any that is free.", lower_bound=0, upper_bound=65535)


def _node_flags() -> None:
    flags.DEFINE_string("model", "", "The exported model: one version's folder, or the folder of all, whose newest is taken.")
    _shared_flags(11112)
    flags.DEFINE_string("title", "FANOGAN", "The node's AE title.")
    flags.DEFINE_list("peers", [], "Who may send: TITLE@ADDRESS, with commas between them.")
    flags.DEFINE_string("destination", "", "Where results go: TITLE@ADDRESS:PORT. With --dicomweb, otherwise to that archive.")
    flags.DEFINE_string("dicomweb", "", "An archive on the web, to be watched instead of listening: its address.")
    flags.DEFINE_integer("days", 7, "Of --dicomweb: how many days back a study's date may lie; 0: any.", lower_bound=0)
    flags.DEFINE_float("every", 10.0, "Of --dicomweb: seconds between two looks.", lower_bound=0.1)
    flags.DEFINE_list(
        "modalities",
        [],
        "What the model was made for, as DICOM names it; the rest is left alone. Empty: CR,DX, or OPT of OCT.",
    )
    flags.DEFINE_float("keep_free_gib", 1.0, "GiB of the disk that stay free; beyond, nothing is accepted.", lower_bound=0.0)
    flags.DEFINE_integer("retries", 10, "How often to try again what cannot be sent.", lower_bound=0)


def _reading_flags() -> None:
    _shared_flags(8600)
    flags.DEFINE_string("users", "", "The file of users: names and hashed passwords.")
    flags.DEFINE_string("add_user", "", "Instead of serving, ask for this reader's password and enter it in --users.")
    flags.DEFINE_string("ohif", "", "Address of OHIF over the archive, to open studies in, as in http://127.0.0.1:3000.")
    flags.DEFINE_string("certificate", "", "Of HTTPS, a PEM file. Needed where --host is not of this machine alone.")
    flags.DEFINE_string("key", "", "Its private key, a PEM file.")


NODE = Command(node, _node_flags, scopes=())
READING = Command(reading, _reading_flags, scopes=())
