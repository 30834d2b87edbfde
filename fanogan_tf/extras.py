"""Libraries that come with an extra, and what to say where they are missing."""

from pathlib import Path

from fanogan_tf.errors import UserError


def require(module: str, path: Path) -> None:
    """Raises UserError if the optional library `module` is not installed."""
    try:
        __import__(module)
    except ImportError as error:
        raise UserError(f"{path}: reading it needs {module}: pip install 'fanogan_tf[oct]'") from error
