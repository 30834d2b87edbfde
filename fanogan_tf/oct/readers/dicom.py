"""DICOM volumes: Ophthalmic Tomography Images of several frames.

Part 3 of the DICOM standard is the source: C.8.17.7 and A.52 (ophthalmic tomography).
"""

from pathlib import Path

import numpy as np

from fanogan_tf.data import dicom
from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.common import EYES, check_raster, distance_between, not_a_raster, positive
from fanogan_tf.oct.volume import Volume

OCT_STORAGE = "1.2.840.10008.5.1.4.1.1.77.1.5.4"  # Ophthalmic Tomography Image Storage


def read(path: Path, name: str) -> Volume:
    """Reads a multi-frame OCT object.

    Frames keep the file's order. The distance between B-scans comes from the frames' positions, without them from
    SpacingBetweenSlices, then SliceThickness; sizes that the file does not give are NaN.

    Returns:
      data uint8 or uint16 as stored (MONOCHROME1 inverted, signed values moved up to begin at 0).

    Raises:
      UserError: no DICOM, no Ophthalmic Tomography image, one frame only, circle or star scans, damaged or undecodable pixels.
    """
    dataset = dicom.open_dicom(path)
    try:
        kind = dataset.get("SOPClassUID", "")
        if kind != OCT_STORAGE:
            raise dicom.refused(path, f"{dicom.kind_of(kind)}: an Ophthalmic Tomography Image is expected")
        if dicom.frames(dataset) < 2:
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
        raise dicom.refused(path, error) from error


def _unsigned(path: Path, dataset) -> np.ndarray:
    """(B, H, W) uint8 or uint16."""
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise dicom.refused(path, "colour frames: grey ones are expected")
    data = dicom.pixels(path, dataset)
    lowest, highest = dicom.stored_range(dataset)
    values = data.astype(np.int64)
    values = highest - values if dataset.PhotometricInterpretation == "MONOCHROME1" else values - lowest
    if values.min() < 0 or values.max() > 65535:
        raise dicom.refused(path, "its values do not fit its BitsStored, or 16 bits")
    return values.astype(np.uint8 if highest - lowest <= 255 else np.uint16)


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
    frames = dicom.frames(dataset)
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
    planes = [_group(dataset, frame, "PlaneOrientationSequence") for frame in range(frames)]
    if all(planes) and all(plane.get("ImageOrientationPatient") for plane in planes):
        along = np.array([plane.ImageOrientationPatient[:3] for plane in planes], np.float64)
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
