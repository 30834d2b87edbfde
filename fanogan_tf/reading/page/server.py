"""The server of the readers' page: on this machine alone unless told otherwise, and then by HTTPS."""

import socket
from pathlib import Path

from fanogan_tf.errors import UserError
from fanogan_tf.reading.ledger import Ledger
from fanogan_tf.reading.page.application import application
from fanogan_tf.reading.page.users import Users

_OF_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def serve(ledger_url: str, folder: Path, users: Users, ohif: str, host: str, port: int, certificate: str, key: str) -> None:
    """Serves a node's folder until it is interrupted.

    Args:
      ohif: address of OHIF; "" where there is none.
      port: 0 for any that is free. What is printed says which.
      certificate, key: PEM files of HTTPS; "" for none.

    Raises:
      UserError: nobody may read, there is no such database, the port is not to be had, or others could listen in.
    """
    import uvicorn

    users.check()
    if ohif and not ohif.startswith(("http://", "https://")):
        raise UserError(f"--ohif={ohif}: give an address, as in http://127.0.0.1:3000")
    if bool(certificate) != bool(key):
        raise UserError("--certificate and --key: give both, or neither")
    if host not in _OF_THIS_MACHINE and not certificate:
        raise UserError(f"--host={host}: others could read passwords and films on the way; give --certificate and --key")
    for name, path in (("certificate", certificate), ("key", key)):
        if path and not Path(path).is_file():
            raise UserError(f"--{name}={path}: no such file")
    page = application(Ledger(ledger_url), folder, users, ohif, secure=bool(certificate))
    try:
        listening = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise UserError(f"--host={host} --port={port}: cannot listen there ({error.strerror}); take another port") from error
    print(f"reading at http{'s' if certificate else ''}://{host}:{listening.getsockname()[1]}/", flush=True)
    # No access log: addresses hold study UIDs.
    config = uvicorn.Config(
        page,
        access_log=False,
        log_level="warning",
        ssl_certfile=certificate or None,
        ssl_keyfile=key or None,
        server_header=False,
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
