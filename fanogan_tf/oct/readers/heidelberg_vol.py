"""Heidelberg Spectralis raw export, `.vol`, parsed by eyepy's description of the format.

B-scans keep the file's order and direction; HEYEX writes the lowest (inferior) one first. Grey values are those HEYEX and
eyepy display: 255 * (ln(v + 2.44e-4) + 8.3) / 8.285, clipped to 0 .. 255 (often quoted as a fourth root, which looks alike).
"""

import struct
from pathlib import Path

import numpy as np

from fanogan_tf.errors import UserError, require
from fanogan_tf.oct.readers.common import EYES, check_raster, distance_between, known_surfaces, not_a_raster, positive, unreadable
from fanogan_tf.oct.volume import Volume

_HEADER_BYTES, _SCAN_HEADER_BYTES = 2048, 256
# Version, sizes, pixel sizes, the fundus image's, field, focus, eye, examination time, scan pattern, B-scan header size.
_HEADER = struct.Struct("<12s3I3d2I2dId4sQiI")
# Examination time; identifiers of scan and patient, birth and visit dates: not needed, and where eyepy's parser stumbles.
_PERSONAL = (slice(88, 96), slice(104, 258))
_OTHER_PATTERNS = {1: "a single line scan", 2: "a circle scan", 5: "a radial (star) scan"}
_INVALID = np.finfo(np.float32).max


def read(path: Path, name: str) -> Volume:
    """Reads a `.vol` file.

    Returns:
      data uint8, 0 where the device has no value; surfaces under eyepy's names ("ILM", "BM", "RNFL", ...), those that the
      file lists but nobody has segmented left out.

    Raises:
      UserError: no `.vol`, damaged, or another scan pattern than a raster.
    """
    require("eyepy", path, "oct")
    from eyepy.core.utils import from_vol_intensity
    from eyepy.io.he.vol_reader import SEG_MAPPING, vol_format

    try:
        content = bytearray(Path(path).read_bytes())
        _check(path, content)
        for part in _PERSONAL:
            content[part] = bytes(part.stop - part.start)
        parsed = vol_format.parse(bytes(content))
        del content
        starts = np.array([(scan.start_x, scan.start_y) for scan in parsed.bscans])
        ends = np.array([(scan.end_x, scan.end_y) for scan in parsed.bscans])
        check_raster(path, starts, ends)

        raw = np.stack([scan.data for scan in parsed.bscans])
        # eyepy blackens the largest float only; damaged and negative values would become anything.
        raw[~(raw >= 0)] = _INVALID
        raw[raw > 1e38] = _INVALID
        surfaces = {}
        for layer, index in SEG_MAPPING.items():
            rows = [_layer(scan.layer_segmentations, index, parsed.size_x) for scan in parsed.bscans]
            surfaces[layer] = np.stack(rows)
        between = positive(parsed.distance)
        return Volume(
            name=name,
            data=from_vol_intensity(raw),
            spacing=(
                distance_between(starts, ends) if np.isnan(between) else between,
                positive(parsed.scale_y),
                positive(parsed.scale_x),
            ),
            eye=EYES.get(parsed.scan_position.strip("\x00 "), ""),
            surfaces=known_surfaces(surfaces, parsed.size_y),
        )
    except UserError:
        raise
    except Exception as error:  # construct, datetime and numpy errors: all mean a damaged file.
        raise unreadable(path, error) from error


def _check(path: Path, content: bytearray) -> None:
    """Raises UserError unless the header is a `.vol` raster's and the file is as long as it says."""
    if not content.startswith((b"HSF-OCT", b"ep-v")):
        raise unreadable(path, "it is no Heidelberg .vol file: it does not begin with HSF-OCT")
    if len(content) < _HEADER_BYTES:
        raise unreadable(path, f"truncated: {len(content)} bytes, less than the header's {_HEADER_BYTES}")
    _, width, scans, height, *_, pattern, scan_header = (fields := _HEADER.unpack_from(content))
    slo_width, slo_height = fields[7:9]
    if pattern in _OTHER_PATTERNS:
        raise not_a_raster(path, _OTHER_PATTERNS[pattern])
    if not scans or not width or not height or scan_header < _SCAN_HEADER_BYTES:
        raise unreadable(path, f"its header gives {scans} B-scans of {height}x{width} pixels")
    # Each B-scan's own header says how long it is; files that HEYEX did not write may have another length in the file's header.
    end = _HEADER_BYTES + slo_width * slo_height
    for scan in range(scans):
        if len(content) >= end + _SCAN_HEADER_BYTES:
            (own,) = struct.unpack_from("<I", content, end + 12)
            if own < _SCAN_HEADER_BYTES:
                raise unreadable(path, f"damaged: the header of B-scan {scan} gives itself {own} bytes")
            end += own + 4 * width * height
        else:
            end += _SCAN_HEADER_BYTES
        if len(content) < end:
            raise unreadable(path, f"truncated: {len(content)} bytes, but B-scan {scan} of {scans} reaches to {end}")


def _layer(segmentations: np.ndarray, index: int, width: int) -> np.ndarray:
    return segmentations[index] if index < len(segmentations) else np.full(width, np.nan, np.float32)
