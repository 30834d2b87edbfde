"""DICOM files through pydicom: OCT volumes and X-ray images.

Part 3 of the DICOM standard is the source of everything here: C.11.1 (modality LUT), C.11.2 (VOI LUT and window), C.7.6.3
(pixels), C.8.17.7 and A.52 (ophthalmic tomography).
"""

from pathlib import Path

import numpy as np

from fanogan_tf.data.oct.readers.common import EYES, check_raster, distance_between, not_a_raster, positive, require
from fanogan_tf.data.oct.volume import Volume
from fanogan_tf.errors import UserError

OCT_STORAGE = "1.2.840.10008.5.1.4.1.1.77.1.5.4"  # Ophthalmic Tomography Image Storage


def read_volume_dicom(path: Path, name: str) -> Volume:
    """Reads a multi-frame OCT object.

    Frames keep the file's order. The distance between B-scans comes from the frames' positions, without them from
    SpacingBetweenSlices, then SliceThickness; sizes that the file does not give are NaN.

    Returns:
      data uint8 or uint16 as stored (MONOCHROME1 inverted, signed values moved up to begin at 0).

    Raises:
      UserError: no DICOM, no Ophthalmic Tomography image, one frame only, circle or star scans, damaged or undecodable pixels.
    """
    dataset = _open(path)
    kind = dataset.get("SOPClassUID", "")
    if kind != OCT_STORAGE:
        raise _refused(path, f"{_kind(kind)}: an Ophthalmic Tomography Image is expected")
    try:
        if _frames(dataset) < 2:
            raise not_a_raster(path, "a DICOM of one image")
        starts, ends = _locations(path, dataset)
        check_raster(path, starts, ends)
        data = _unsigned(path, dataset)
        measures = _group(dataset, 0, "PixelMeasuresSequence") or dataset
        rows, columns = (measures.get("PixelSpacing") or (None, None))[:2]
        between = _frame_distance(dataset, len(data))
        if np.isnan(between):
            between = positive(measures.get("SpacingBetweenSlices"))
        if np.isnan(between):
            between = positive(measures.get("SliceThickness"))
        anatomy = _group(dataset, 0, "FrameAnatomySequence") or {}
        eye = anatomy.get("FrameLaterality") or dataset.get("ImageLaterality") or dataset.get("Laterality") or ""
        return Volume(name=name, data=data, spacing=(between, positive(rows), positive(columns)), eye=EYES.get(str(eye), ""))
    except UserError:
        raise
    except Exception as error:
        raise _refused(path, error) from error


def read_image_dicom(path: Path) -> np.ndarray:
    """Reads a DICOM of one image, as an X-ray (CR, DX), as it is meant to be shown.

    Stored values go through the modality LUT or rescale, then the first VOI LUT or window, and MONOCHROME1 is inverted: more
    is brighter. The window's limits, or the VOI LUT's, become 0 and 65535; with neither, the limits of the range that can be
    stored do (BitsStored), not those of this image: images of one device stay comparable. Colour is taken only if it is grey
    in fact, its three channels differing by 2 of 255 at most.

    Returns:
      (H, W) uint16.

    Raises:
      UserError: no DICOM, no image in it, several frames, colours, damaged pixels or a compression without its decoder.
    """
    dataset = _open(path)
    try:
        if _frames(dataset) > 1:
            raise _refused(path, f"it holds {_frames(dataset)} frames: one image is expected")
        stored = _pixels(path, dataset)
        if stored.ndim == 3:
            share = _grey_of_colour(path, stored) / (2.0 ** int(dataset.BitsStored) - 1.0)
        else:
            share = _shown(dataset, stored)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            share = 1.0 - share
        return np.round(np.clip(share, 0.0, 1.0) * 65535.0).astype(np.uint16)
    except UserError:
        raise
    except Exception as error:
        raise _refused(path, error) from error


def _refused(path: Path, reason: object) -> UserError:
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return UserError(f"{path}: unreadable DICOM ({' '.join(text.split())[:300]}); mend it, or remove it")


def _frames(dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _kind(uid: str) -> str:
    from pydicom.uid import UID

    return UID(str(uid)).name if uid else "an object of no kind"


def _open(path: Path):
    """The dataset, if it has pixels that can be decoded here."""
    require("pydicom", path)
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(path)
    except InvalidDicomError as error:
        raise _refused(path, "it is no DICOM file") from error
    except Exception as error:  # Damaged files make pydicom raise nearly anything.
        raise _refused(path, error) from error
    if "PixelData" not in dataset:
        raise _refused(path, f"no image in it: {_kind(dataset.get('SOPClassUID', ''))}, or cut off before its pixels")
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is None:
        raise _refused(path, "it does not name its transfer syntax")
    _require_decoder(path, syntax)
    return dataset


def _require_decoder(path: Path, syntax) -> None:
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _refused(path, f"compressed as {syntax.name}, which pydicom cannot decode") from error
    if not decoder.is_available:
        packages = " or ".join(text.partition(" - requires ")[2] or text for text in decoder.missing_dependencies)
        raise _refused(path, f"compressed as {syntax.name}: install {packages}")


def _pixels(path: Path, dataset) -> np.ndarray:
    """(H, W), (B, H, W) or (H, W, 3) as stored."""
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise _refused(path, "colours of a palette: a grey image is expected")
    return dataset.pixel_array


def _unsigned(path: Path, dataset) -> np.ndarray:
    """(B, H, W) uint8 or uint16."""
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise _refused(path, "colour frames: grey ones are expected")
    data = _pixels(path, dataset)
    lowest, highest = _stored_range(dataset)
    values = data.astype(np.int64)
    values = highest - values if dataset.PhotometricInterpretation == "MONOCHROME1" else values - lowest
    if values.min() < 0 or values.max() > 65535:
        raise _refused(path, "its values do not fit its BitsStored, or 16 bits")
    return values.astype(np.uint8 if highest - lowest <= 255 else np.uint16)


def _stored_range(dataset) -> tuple[int, int]:
    bits = int(dataset.BitsStored)
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if int(dataset.PixelRepresentation) else (0, (1 << bits) - 1)


def _group(dataset, frame: int, sequence: str):
    """The item of a functional group: that of the frame, else the one that all frames share, else None."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = dataset.get(groups)
        found = items[index].get(sequence) if items and index < len(items) else None
        if found:
            return found[0]
    return None


def _locations(path: Path, dataset) -> tuple[np.ndarray, np.ndarray]:
    """Where B-scans begin and end, (B, 2) or (B, 3): on the fundus image, else their directions in space, else NaN."""
    frames = _frames(dataset)
    unknown = np.full((frames, 2), np.nan)
    locations = [_group(dataset, frame, "OphthalmicFrameLocationSequence") for frame in range(frames)]
    if all(locations):
        orientations = {str(location.get("OphthalmicImageOrientation", "LINEAR")) for location in locations}
        if orientations != {"LINEAR"}:
            raise not_a_raster(
                path, f"frames that are {' and '.join(sorted(orientations)).lower()}, as of a circle or en-face scan"
            )
        corners = [location.get("ReferenceCoordinates") for location in locations]
        if all(corner is not None and len(corner) == 4 for corner in corners):
            ends = np.array(corners, np.float64)
            return ends[:, :2], ends[:, 2:]
    orientations = [_group(dataset, frame, "PlaneOrientationSequence") for frame in range(frames)]
    if all(orientations) and all(item.get("ImageOrientationPatient") for item in orientations):
        along = np.array([item.ImageOrientationPatient[:3] for item in orientations], np.float64)
        return np.zeros_like(along), along
    return unknown, unknown


def _frame_distance(dataset, frames: int) -> float:
    """Mean distance in mm of neighbouring frames' positions; NaN if the file does not give them."""
    positions = [_group(dataset, frame, "PlanePositionSequence") for frame in range(frames)]
    if not all(position is not None and position.get("ImagePositionPatient") for position in positions):
        return float("nan")
    corners = np.array([position.ImagePositionPatient for position in positions], np.float64)
    orientation = _group(dataset, 0, "PlaneOrientationSequence")
    along = np.zeros(3)
    if orientation is not None and orientation.get("ImageOrientationPatient"):
        along = np.array(orientation.ImageOrientationPatient[:3], np.float64)
    return distance_between(corners, corners + along)


def _grey_of_colour(path: Path, stored: np.ndarray) -> np.ndarray:
    channels = stored.astype(np.int64)
    if channels.shape[-1] != 3 or np.ptp(channels, axis=-1).max() > max(2, 2 * int(stored.max()) // 255):
        raise _refused(path, "a colour photograph: a grey image is expected")
    return channels[..., 1].astype(np.float64)


def _shown(dataset, stored: np.ndarray) -> np.ndarray:
    """float64 (H, W): 0 .. 1 between the limits that `read_image_dicom` describes, and beyond them outside of these."""
    lowest, highest = _stored_range(dataset)
    values = stored.astype(np.float64)
    if dataset.get("ModalityLUTSequence"):
        values, highest = _look_up(dataset, dataset.ModalityLUTSequence[0], values)
        lowest = 0
    elif dataset.get("RescaleSlope") is not None:
        slope, intercept = float(dataset.RescaleSlope), float(dataset.get("RescaleIntercept") or 0.0)
        values = values * slope + intercept
        lowest, highest = sorted((lowest * slope + intercept, highest * slope + intercept))

    if dataset.get("VOILUTSequence"):
        values, highest = _look_up(dataset, dataset.VOILUTSequence[0], values)
        return values / highest
    if dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        return _windowed(
            values, _first(dataset.WindowCenter), _first(dataset.WindowWidth), dataset.get("VOILUTFunction") or "LINEAR"
        )
    return (values - lowest) / (highest - lowest)


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Equations of C.11.2.1.2 and C.11.2.1.3, with 0 and 1 as the output's limits."""
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(-4.0 * (values - centre) / width))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)
    if width <= 1.0:  # The standard's step.
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)


def _look_up(dataset, table, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Values through a LUT of the standard, and the largest value that the LUT can give."""
    entries, first, bits = (int(part) for part in table.LUTDescriptor)
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">u2")
    lut = np.atleast_1d(np.asarray(data, np.float64))[: entries or 65536]
    index = np.clip(np.round(values).astype(np.int64) - first, 0, len(lut) - 1)
    return lut[index], 2.0**bits - 1.0


def _first(value) -> float:
    """A window may be given several times, for choice."""
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)
