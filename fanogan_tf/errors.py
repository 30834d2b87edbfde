"""The one exception that reaches a user; the libraries whose absence it tells; and the quiet start of TensorFlow."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


class UserError(Exception):
    """Bad input. Its message is one line that names the file or flag and the remedy; commands print it and exit with 1."""


def require(module: str, path: Path, extra: str) -> None:
    """Raises UserError if the library `module`, which comes with `extra` and reads `path`, is not installed."""
    need(module, extra, f"{path}: reading it")


def need(module: str, extra: str, what: str) -> None:
    """Raises UserError if the library `module`, which comes with `extra` and `what` needs, is not installed."""
    try:
        __import__(module)
    except ImportError as error:
        raise UserError(f"{what} needs {module}: pip install 'fanogan_tf[{extra}]'") from error


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Around a process's first import of TensorFlow, which greets on stderr before any log level can be set.

    What native code writes there is kept aside, and shown only if the import fails.

    Raises:
      UserError: TensorFlow is not installed.
    """
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except ModuleNotFoundError as error:
            if error.name != "tensorflow":
                raise
            raise UserError("TensorFlow is not installed; pip install 'fanogan_tf[cpu]', or [gpu], brings it") from error
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
