"""Annotated volumes of Duke University as MATLAB files.

- Chiu et al., Biomed. Opt. Express 6(4), 2015: 10 eyes with diabetic macular oedema, Heidelberg Spectralis; eight layer
  boundaries and fluid, drawn by two graders on 11 of 61 B-scans.
- Farsiu et al., Ophthalmology 121(1), 2014: 384 eyes with and without age-related macular degeneration, Bioptigen; three
  layer boundaries, no fluid.

The files give no pixel sizes; those here are eyepy's, which for Chiu are the middle of the ranges in the paper.
"""

import struct
from pathlib import Path

import numpy as np

from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.common import check_raster, known_surfaces, unreadable
from fanogan_tf.oct.volume import INTRARETINAL_FLUID, Volume

_CHIU_SPACING, _FARSIU_SPACING = (0.123, 0.00387, 0.01133), (0.067, 0.0045, 0.0067)
_MAT_HEADER, _MATRIX, _COMPRESSED = 128, 14, 15
_MAT_TYPES = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18}
_CHIU_LAYERS = ("ILM", "NFL/GCL", "IPL/INL", "INL/OPL", "OPL/ONL", "ISM/ISE", "OS/RPE", "BM")
_FARSIU_LAYERS = ("ILM", "IBRPE", "BM")


def read(path: Path, name: str) -> Volume:
    """Reads a Chiu or Farsiu `.mat`.

    Of a Chiu file the first grader's layers and fluid are taken, and only the B-scans that he has annotated: on the others
    fluid would be taken for healthy tissue. The kept B-scans are not evenly spaced; spacing[0] is their mean distance.
    Fluid there has no kinds, it counts as intraretinal, the kind that oedema mostly makes.

    Raises:
      UserError: no MATLAB file, or one with other contents.
    """
    from scipy.io import loadmat

    try:
        _check_elements(path)
        content = loadmat(path)
        if "images" not in content or not {"manualLayers1", "layerMaps"} & set(content):
            found = ", ".join(sorted(key for key in content if not key.startswith("__"))[:8]) or "nothing"
            raise unreadable(path, f"it is no annotated Duke volume with images and manualLayers1 or layerMaps: it holds {found}")
        data = np.ascontiguousarray(np.moveaxis(content["images"], -1, 0))
        if data.ndim != 3 or data.dtype not in (np.uint8, np.uint16):
            data = _grey(data)
        volume = _farsiu(name, data, content) if "layerMaps" in content else _chiu(path, name, data, content)
        check_raster(path, np.zeros((len(volume.data), 2)), np.zeros((len(volume.data), 2)))
        return volume
    except UserError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def _check_elements(path: Path) -> None:
    """Raises UserError unless a MATLAB 5 file's elements are whole: on an unknown number type scipy crashes the interpreter."""
    content = Path(path).read_bytes()
    if content.startswith(b"MATLAB 7.3"):
        raise unreadable(path, "it is of MATLAB 7.3: save it with -v7")
    if not content.startswith(b"MATLAB 5.0") or len(content) < _MAT_HEADER:
        raise unreadable(path, "it is no MATLAB file")
    order = "<" if content[126:128] == b"IM" else ">"

    def elements(start: int, stop: int):
        """(number type, first byte, end) of the elements between two positions."""
        while start < stop:
            kind, size = struct.unpack_from(f"{order}2I", content, start)
            first = start + 8
            after = first + size + (0 if kind == _COMPRESSED else -size % 8)
            if kind >> 16:  # The short form: size, type and up to four bytes in eight.
                kind, size, first, after = kind & 0xFFFF, kind >> 16, start + 4, start + 8
            if first + size > stop or kind not in _MAT_TYPES:
                raise unreadable(path, "damaged or truncated")
            yield kind, first, first + size
            start = after

    for kind, first, end in elements(_MAT_HEADER, len(content)):
        if kind == _MATRIX:
            for _ in elements(first, end):
                pass
        elif kind != _COMPRESSED:  # Compressed ones have a checksum.
            raise unreadable(path, "damaged")


def _grey(data: np.ndarray) -> np.ndarray:
    """Whole numbers that MATLAB keeps as double become integers again; anything else stays, as float32."""
    if data.ndim != 3:
        raise ValueError(f"its images have {data.ndim} axes, not 3")
    if np.isfinite(data).all() and data.min() >= 0 and data.max() <= 65535 and not (data % 1).any():
        return data.astype(np.uint8 if data.max() <= 255 else np.uint16)
    return np.nan_to_num(data).astype(np.float32)


def _farsiu(name: str, data: np.ndarray, content: dict) -> Volume:
    layers = np.moveaxis(content["layerMaps"], -1, 0)  # (layer, B, W)
    surfaces = known_surfaces(dict(zip(_FARSIU_LAYERS, layers, strict=True)), data.shape[1])
    return Volume(name=name, data=data, spacing=_FARSIU_SPACING, surfaces=surfaces)


def _chiu(path: Path, name: str, data: np.ndarray, content: dict) -> Volume:
    layers = np.moveaxis(content["manualLayers1"], -1, 1).astype(np.float32)  # (layer, B, W)
    with np.errstate(invalid="ignore"):  # NaN marks what nobody has drawn.
        fluid = np.moveaxis(content["manualFluid1"], -1, 0) > 0
        annotated = (np.nan_to_num(layers) > 0).any(axis=(0, 2)) | fluid.any(axis=(1, 2))
    if not annotated.any():
        raise unreadable(path, "no B-scan of it is annotated")
    kept = np.flatnonzero(annotated)
    between = _CHIU_SPACING[0] * (float(np.diff(kept).mean()) if len(kept) > 1 else 1.0)
    surfaces = dict(zip(_CHIU_LAYERS, layers[:, kept], strict=True))
    return Volume(
        name=name,
        data=data[kept],
        spacing=(between, *_CHIU_SPACING[1:]),
        surfaces=known_surfaces(surfaces, data.shape[1]),
        lesions=fluid[kept].astype(np.uint8),
        kinds=(INTRARETINAL_FLUID,),
    )
