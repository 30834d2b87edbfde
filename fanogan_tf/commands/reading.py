"""The commands that bring results to the radiologist: node."""

from pathlib import Path

from absl import flags

from fanogan_tf import errors
from fanogan_tf.commands.command import Command, starting
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


def node(options: Options, given: frozenset[str]) -> None:
    """Receives DICOM images, scores them with an exported model, and sends the results to an archive.

    fanogan node --model=models/lungs --folder=node --peers=ARCHIVE@127.0.0.1 --destination=ARCHIVE@127.0.0.1:4242

    Only listed peers may send. What is acknowledged is on disk and in the ledger of the folder, so that a node which was killed
    goes on where it stood. Results go to the study of their image, in series of their own, for research and not for diagnosis.
    """
    values = flags.FLAGS
    for name, example in (
        ("model", "models/first"),
        ("folder", "node"),
        ("peers", "ARCHIVE@127.0.0.1"),
        ("destination", "ARCHIVE@127.0.0.1:4242"),
    ):
        if not values[name].value:
            raise UserError(f"--{name}: has to be given, as in --{name}={example}")
    for module in ("pynetdicom", "sqlalchemy", "highdicom"):
        errors.need(module, "reading", "fanogan node")
    with starting():
        from fanogan_tf.reading import node as nodes
        from fanogan_tf.reading.inbox import Peer
    nodes.start(
        Path(values.model),
        Path(values.folder),
        values.ledger,
        values.title,
        values.host,
        values.port,
        [Peer.of(text, "peers") for text in values.peers],
        Peer.of(values.destination, "destination", listens=True),
        tuple(values.modalities),
        int(values.keep_free_gib * 1024**3),
        values.retries,
    )


def _node_flags() -> None:
    flags.DEFINE_string("model", "", "The exported model: one version's folder, or the folder of all, whose newest is taken.")
    flags.DEFINE_string("folder", "", "The node's own: what arrived, its results, and the ledger.")
    flags.DEFINE_string("ledger", "", "The ledger's database, as SQLAlchemy names it. Without it, an SQLite file in --folder.")
    flags.DEFINE_string("title", "FANOGAN", "The node's AE title.")
    flags.DEFINE_list("peers", [], "Who may send: TITLE@ADDRESS, with commas between them.")
    flags.DEFINE_string("destination", "", "Where results go: TITLE@ADDRESS:PORT.")
    flags.DEFINE_list("modalities", ["CR", "DX"], "What the model was made for, as DICOM names it; the rest is left alone.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on.")
    flags.DEFINE_integer("port", 11112, "Port to listen on; 0: any that is free.", lower_bound=0, upper_bound=65535)
    flags.DEFINE_float("keep_free_gib", 1.0, "GiB of the disk that stay free; beyond, nothing is accepted.", lower_bound=0.0)
    flags.DEFINE_integer("retries", 10, "How often to try again what cannot be sent.", lower_bound=0)


NODE = Command(node, _node_flags, scopes=())
