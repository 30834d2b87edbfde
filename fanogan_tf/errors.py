"""The one exception that reaches a user, and the libraries whose absence it tells."""

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
