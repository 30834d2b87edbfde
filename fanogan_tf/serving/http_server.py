"""An exported model over HTTP, where there is no TensorFlow Serving: KServe's server, which speaks the same protocol."""

import asyncio
import contextlib
import logging
import socket
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fanogan_tf import errors
from fanogan_tf.errors import UserError
from fanogan_tf.serving import exported, rest
from fanogan_tf.serving.saved_model import ServedDetector

# Images computed at once. A larger request waits in the queue part by part, so that a small one need not wait for all of it.
_PART = 64


def serve(folder: Path, name: str, host: str, port: int) -> None:
    """Answers `http://host:port/v1/models/<name>:predict` until it is interrupted.

    Args:
      folder: of an export; the newest version that is there now is served.
      name: of the model in the address; "" is the folder's.
      port: 0 for any that is free. What is printed says which.

    Raises:
      UserError: KServe is not installed, there is no model of ours, or the port is not to be had.
    """
    errors.need("kserve", "serving", "fanogan serve:")
    served = exported.load(folder)
    name = name or (served.path.parent if served.path.name.isdecimal() else served.path).resolve().stem
    try:
        listening = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise UserError(f"--host={host} --port={port}: cannot listen there ({error.strerror}); take another port") from error
    served(
        *[np.zeros((1, *served.image_shape), np.float32)] * len(served.INPUTS)
    )  # The first run prepares what the next ones need.
    server = _server(served, name, port)
    address = "{}:{}".format(*listening.getsockname()[:2])
    print(f"serving {served.path}: http://{address}/v1/models/{name}:predict", flush=True)
    with listening, contextlib.suppress(KeyboardInterrupt):  # Which is how it is meant to end.
        server.run(sockets=[listening])


def _server(served: ServedDetector, name: str, port: int):
    """KServe's REST server of one model. It is given a socket: by itself it would listen on all addresses."""
    sys.argv[1:] = []  # KServe reads the command line when it is imported; ours is not for it.
    import kserve
    import orjson
    from kserve.errors import InvalidInput, ModelNotFound
    from kserve.protocol.dataplane import DataPlane
    from kserve.protocol.model_repository_extension import ModelRepositoryExtension
    from kserve.protocol.rest.server import RESTServer

    class Model(kserve.Model):
        """TensorFlow itself uses all cores: one computation at a time, and none in the loop that takes requests."""

        def __init__(self):
            super().__init__(name, return_response_headers=True)
            self.ready = True
            self._computing = ThreadPoolExecutor(1)

        async def predict(self, payload: object, headers: dict, response_headers: dict) -> bytes:
            try:
                if isinstance(payload, bytes):  # JSON under another content type, curl's own for one, comes undecoded.
                    payload = orjson.loads(payload)
                request = await asyncio.to_thread(rest.parse, served, payload)
                outputs = await self._outputs(request)
            except orjson.JSONDecodeError as error:
                raise InvalidInput(f"the request is no JSON: {error}") from error
            except rest.BadRequest as error:
                raise InvalidInput(str(error)) from error
            response_headers["content-type"] = "application/json"
            return await asyncio.to_thread(orjson.dumps, rest.answer(request, outputs), option=orjson.OPT_SERIALIZE_NUMPY)

        async def _outputs(self, request: rest.Request) -> dict[str, np.ndarray]:
            parts = []
            for first in range(0, max(len(request), 1), _PART):
                values = request.part(slice(first, first + _PART))
                loop = asyncio.get_running_loop()
                parts.append(await loop.run_in_executor(self._computing, rest.run, served, request.signature, values))
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def is_ours(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], (InvalidInput, ModelNotFound)))

    # A client's mistake is for the client to read, and no traceback in the server's log.
    logging.getLogger("kserve").addFilter(is_ours)
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")
    models = kserve.ModelRepository()
    models.update(Model())
    return RESTServer("kserve.model_server:app", DataPlane(models), ModelRepositoryExtension(models), port)
