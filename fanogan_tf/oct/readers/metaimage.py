"""MetaImage files: a text header `.mhd` and raw numbers beside it (ITK's format)."""

import zlib
from pathlib import Path

import numpy as np

from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.common import unreadable

_TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def read(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Reads a three-dimensional MetaImage.

    Returns:
      (B, H, W) in the stored number type, and the spacing of (B-scans, rows, columns): the file has both the other way round.

    Raises:
      UserError: no MetaImage of three axes, its numbers missing, or fewer or more than the header says.
    """
    try:
        header = _header(path)
        size = [int(part) for part in header["DimSize"].split()]
        spacing = [float(part) for part in header.get("ElementSpacing", header.get("ElementSize", "nan nan nan")).split()]
        if len(size) != 3 or len(spacing) != 3 or min(size) < 1 or header.get("ElementNumberOfChannels", "1") != "1":
            raise unreadable(path, "one grey value for each point of three axes is expected")
        big = _yes(header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False")))
        kind = np.dtype(_TYPES[header["ElementType"]]).newbyteorder(">" if big else "<")
        content = raw_file(path, header).read_bytes()
        if _yes(header.get("CompressedData", "False")):
            content = zlib.decompress(content)
        wanted = int(np.prod(size)) * kind.itemsize
        if len(content) != wanted:
            raise unreadable(path, f"its numbers take {len(content)} bytes, but its header gives {wanted}")
        values = np.frombuffer(content, kind).reshape(size[::-1])
        across, down, along = spacing
        return values.astype(kind.newbyteorder("=")), (along, down, across)
    except UserError:
        raise
    except KeyError as error:
        raise unreadable(path, f"it is no MetaImage that we know: {error} is missing or unknown") from error
    except Exception as error:
        raise unreadable(path, error) from error


def raw_file(path: Path, header: dict[str, str] | None = None) -> Path:
    """The file with the numbers of a header file.

    Raises:
      UserError: the header names none beside itself, or it is not there.
    """
    named = (header or _header(path)).get("ElementDataFile", "")
    raw = Path(path).parent / named
    if not named or Path(named).name != named or not raw.is_file():
        raise UserError(f"{path}: its numbers {named or 'without a name'} are missing; put the file beside it")
    return raw


def _header(path: Path) -> dict[str, str]:
    try:
        # A raw file with the wrong extension may be large, a header never is.
        with open(path, "rb") as file:
            lines = file.read(65536).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, getattr(error, "strerror", None) or "it is no MetaImage header") from error
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def _yes(text: str) -> bool:
    return text.lower() in ("true", "1")
