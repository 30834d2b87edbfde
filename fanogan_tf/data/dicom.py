"""DICOM files through pydicom, and the one image that an X-ray is.

Part 3 of the DICOM standard is the source: C.11.1 (modality LUT), C.11.2 (VOI LUT and window), C.7.6.3 (pixels).
"""

from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf.errors import UserError, require


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
    dataset = open_dicom(path)
    try:
        if frames(dataset) > 1:
            raise refused(path, f"it holds {frames(dataset)} frames: one image is expected")
        stored = pixels(path, dataset)
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
        raise refused(path, error) from error


def open_dicom(path: Path) -> Any:
    """The dataset, if it has pixels that can be decoded here."""
    require("pydicom", path, "dicom")
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(path)
        if "PixelData" not in dataset:
            raise refused(path, f"no image in it: {kind_of(dataset.get('SOPClassUID', ''))}, or cut off before its pixels")
        syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
        if syntax is None:
            raise refused(path, "it does not name its transfer syntax")
        _require_decoder(path, syntax)
    except InvalidDicomError as error:
        raise refused(path, "it is no DICOM file") from error
    except UserError:
        raise
    except Exception as error:  # Damaged files make pydicom raise nearly anything, some only when an element is looked at.
        raise refused(path, error) from error
    return dataset


def refused(path: Path, reason: object) -> UserError:
    """The error for a DICOM that is not what is wanted; `reason` may be an exception of a library."""
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return UserError(f"{path}: unreadable DICOM ({' '.join(text.split())[:300]}); fix it, or remove it")


def kind_of(uid: str) -> str:
    """The name of a SOP class."""
    from pydicom.uid import UID

    return UID(str(uid)).name if uid else "an object of no kind"


def _require_decoder(path: Path, syntax: Any) -> None:
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise refused(path, f"compressed as {syntax.name}, which pydicom cannot decode") from error
    if not decoder.is_available:
        packages = " or ".join(text.partition(" - requires ")[2] or text for text in decoder.missing_dependencies)
        raise refused(path, f"compressed as {syntax.name}: install {packages}")


def pixels(path: Path, dataset: Any) -> np.ndarray:
    """(H, W), (B, H, W) or (H, W, 3) as stored."""
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise refused(path, "colours of a palette: a grey image is expected")
    return np.asarray(dataset.pixel_array)


def frames(dataset: Any) -> int:
    """How many images it holds."""
    return int(dataset.get("NumberOfFrames") or 1)


def stored_range(dataset: Any) -> tuple[int, int]:
    """The least and the largest value that can be stored."""
    bits = int(dataset.BitsStored)
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if int(dataset.PixelRepresentation) else (0, (1 << bits) - 1)


def _grey_of_colour(path: Path, stored: np.ndarray) -> np.ndarray:
    channels = stored.astype(np.int64)
    if channels.shape[-1] != 3 or np.ptp(channels, axis=-1).max() > max(2, 2 * int(stored.max()) // 255):
        raise refused(path, "a colour photograph: a grey image is expected")
    return channels[..., 1].astype(np.float64)


def _shown(dataset: Any, stored: np.ndarray) -> np.ndarray:
    """float64 (H, W): 0 .. 1 between the limits that `read_image_dicom` describes, and beyond them outside of these."""
    lowest, highest = map(float, stored_range(dataset))
    values = stored.astype(np.float64)
    if dataset.get("ModalityLUTSequence"):
        values, highest = _look_up(dataset, dataset.ModalityLUTSequence[0], values)
        lowest = 0.0
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


def _look_up(dataset: Any, table: Any, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Values through a LUT of the standard, and the largest value that the LUT can give."""
    entries, first, bits = (int(part) for part in table.LUTDescriptor)
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">u2")
    lut = np.atleast_1d(np.asarray(data, np.float64))[: entries or 65536]
    index = np.clip(np.round(values).astype(np.int64) - first, 0, len(lut) - 1)
    return lut[index], 2.0**bits - 1.0


def _first(value: Any) -> float:
    """A window may be given several times, for choice."""
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)
