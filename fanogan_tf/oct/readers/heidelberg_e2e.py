"""Heidelberg Spectralis database export, `.e2e`, through eyepy.

The format is not public; eyepy's description of it is the result of reverse engineering and so are the sizes given here:
the depth of a pixel stands in the file, the other two are angles, turned into mm by 0.2896 mm per degree, the factor that
eyepy gives for an eye of medium length. B-scans keep the order of their numbers in the file.
"""

import struct
from pathlib import Path

import numpy as np

from fanogan_tf.errors import UserError, require
from fanogan_tf.oct.readers.common import EYES, check_raster, distance_between, known_surfaces, not_a_raster, positive, unreadable
from fanogan_tf.oct.volume import Volume

_OTHER_PATTERNS = {2: "a circle scan", 5: "a radial (star) scan"}  # As in `.vol`; a line scan is one B-scan.

# The directory: after version and head come chunks, each a list of folders with the contents behind it. Sizes in bytes.
_FIRST_CHUNK, _CONTAINER_HEADER = 88, 60
_CHUNK_HEADER = struct.Struct("<36s4I")
_FOLDERS = np.dtype([("pos", "<u4"), ("start", "<u4"), ("size", "<u4"), ("ids", "V24"), ("type", "<u4"), ("rest", "<u4")])


def read(path: Path, name: str) -> Volume:
    """Reads an `.e2e` file that holds one raster scan; line and circle scans beside it are passed over.

    Returns:
      data uint8 as HEYEX displays it (the same curve as for `.vol`), 0 where the device has no value.

    Raises:
      UserError: no `.e2e`, damaged, no raster of parallel B-scans in it, or more than one.
    """
    require("eyepy", path, "oct")
    from eyepy.io.he import HeE2eReader

    try:
        _check_directory(path)
        with HeE2eReader(path) as reader:
            rasters, others = [], []
            for series in reader.series:
                scans = [scan for _, scan in sorted(series.slices.items()) if _has(scan, "image") and _has(scan, "bscanmeta")]
                if not scans:
                    continue
                try:
                    _check(path, scans)
                    rasters.append((series, scans))
                except UserError as error:
                    others.append(error)
            if not rasters and others:
                raise others[0]
            if not rasters:
                raise unreadable(path, "no OCT scan in it")
            if len(rasters) > 1:
                raise UserError(f"{path}: it holds {len(rasters)} volumes; export each alone, as .vol, .xml or .e2e")
            return _volume(path, name, *rasters[0])
    except UserError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def _check_directory(path: Path) -> None:
    """Raises UserError for anything but an `.e2e` of which all parts are there.

    eyepy takes any beginning, stops without a word where the file is cut off, and would follow a damaged list in circles.
    """
    length = path.stat().st_size
    with open(path, "rb") as file:
        if file.read(4) != b"CMDb":
            raise unreadable(path, "it is no Heidelberg .e2e file: it does not begin with CMDb")
        position, visited = _FIRST_CHUNK, set()
        while position not in visited:
            visited.add(position)
            file.seek(position)
            head = file.read(_CHUNK_HEADER.size)
            entries = _CHUNK_HEADER.unpack(head)[1] if len(head) == _CHUNK_HEADER.size else 0
            if not entries:
                return
            content = file.read(entries * _FOLDERS.itemsize)
            if len(content) < entries * _FOLDERS.itemsize:
                if head.startswith(b"MDbDir"):
                    raise unreadable(path, "truncated: its list of contents is cut off")
                return
            folders = np.frombuffer(content, _FOLDERS)
            ends = folders["start"].astype(np.int64) + folders["size"] + _CONTAINER_HEADER
            if (ends[folders["type"] != 0] > length).any():
                raise unreadable(path, f"truncated: {length} bytes, but its contents reach to byte {ends.max()}")
            # The last list is filled up with empty entries, whose end leads back to the file's head, where no list is.
            position = int(ends[-1])
        raise unreadable(path, "damaged: its list of contents runs in circles")


def _has(part, kind: str) -> bool:
    """Whether a scan or series of eyepy's has a folder of a kind that `TypesEnum` names."""
    from eyepy.io.he.e2e_format import TypesEnum

    return TypesEnum[kind] in part.folders


def _check(path: Path, scans: list) -> None:
    meta = [scan.get_meta() for scan in scans]
    pattern, expected = meta[0]["scan_pattern"], meta[0]["n_bscans"]
    if pattern in _OTHER_PATTERNS:
        raise not_a_raster(path, _OTHER_PATTERNS[pattern])
    check_raster(path, *_positions(scans))
    if len(scans) < expected:
        raise unreadable(path, f"truncated: {len(scans)} of {expected} B-scans")


def _positions(scans: list) -> tuple[np.ndarray, np.ndarray]:
    """Where B-scans begin and end, (B, 2) each, in degrees."""
    meta = [scan.get_meta() for scan in scans]
    return np.array([each["start_pos"] for each in meta]), np.array([each["end_pos"] for each in meta])


def _volume(path: Path, name: str, series, scans: list) -> Volume:
    from eyepy.core.utils import from_e2e_intensity
    from eyepy.io.he.e2e_reader import MEDIUM_EYE_LENGTH_UM_PER_DEG
    from eyepy.io.he.vol_reader import SEG_MAPPING

    images = [scan.get_bscan() for scan in scans]
    if len({image.shape for image in images}) > 1:
        raise unreadable(path, "B-scans of different sizes")
    raw = np.stack(images).astype(np.float32)
    height, width = raw.shape[1:]

    layers = [scan.get_layers() if _has(scan, "layer_annotation") else {} for scan in scans]
    unknown = np.full(width, np.nan, np.float32)
    surfaces = {layer: np.stack([found.get(index, unknown) for found in layers]) for layer, index in SEG_MAPPING.items()}

    starts, ends = _positions(scans)
    mm_per_degree = MEDIUM_EYE_LENGTH_UM_PER_DEG / 1000.0
    return Volume(
        name=name,
        data=from_e2e_intensity(raw),
        spacing=(
            positive(distance_between(starts, ends) * mm_per_degree),
            positive(scans[0].get_meta()["scale_y"]),
            positive(np.linalg.norm(ends[0] - starts[0]) * mm_per_degree / width),
        ),
        eye=_eye(series),
        surfaces=known_surfaces(surfaces, height),
    )


def _eye(series) -> str:
    """From the ASCII code of R or L; eyepy's own method gives the code's digits."""
    from eyepy.io.he.e2e_format import TypesEnum

    folders = series.folders.get(TypesEnum.laterality)
    return EYES.get(chr(int(folders[0].data.laterality)), "") if folders else ""
