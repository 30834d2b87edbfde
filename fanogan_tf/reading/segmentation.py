"""Where the model found what it did not expect, as DICOM segmentations: marked pixels, and the map as fractions."""

from typing import Any

import numpy as np
from PIL import Image

from fanogan_tf.reading.finding import NOTICE, Algorithm, Finding, device, place

MARKED, MAP = "segmentation", "map"


def segmentations(source: Any, finding: Finding, algorithm: Algorithm) -> dict[str, Any]:
    """By kind; none where there is no map of the whole image, or no threshold for it.

    MARKED: pixels whose residual is at least `marked_from`. MAP: residual / (2 marked_from), so that 1/2 is where marking begins.
    """
    if finding.residual is None or not finding.marked_from:
        return {}
    size = int(source.Columns), int(source.Rows)
    residual = np.asarray(Image.fromarray(finding.residual.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    return of_levels(source, residual[np.newaxis], finding.marked_from, algorithm)


def of_levels(source: Any, residuals: np.ndarray, marked_from: float, algorithm: Algorithm) -> dict[str, Any]:
    """The two of residuals (frames, rows, columns) of the source's own size."""
    level = np.clip(residuals / (2.0 * marked_from), 0.0, 1.0)
    marked = (residuals >= marked_from).astype(np.uint8)
    return {
        MARKED: _segmentation(source, marked, "BINARY", algorithm, MARKED, 3),
        MAP: _segmentation(source, level, "FRACTIONAL", algorithm, MAP, 4),
    }


def _segmentation(source: Any, pixels: np.ndarray, type_: str, algorithm: Algorithm, kind: str, number: int) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import Code

    abnormal = Code("49755003", "SCT", "Morphologically abnormal structure")
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="not expected by the model",
        segmented_property_category=abnormal,
        segmented_property_type=abnormal,
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            algorithm.name,
            Code("123110", "DCM", "Artificial Intelligence"),
            algorithm.version,
            parameters={"weights sha256": algorithm.weights},
        ),
    )
    found = hd.seg.Segmentation(
        [source],
        pixels,
        type_,
        [description],
        **place(source, algorithm, kind, number),
        **device(algorithm),
        content_label="ANOMALY",
        content_description=NOTICE,
        # A film on which nothing is marked has a segmentation that says so.
        omit_empty_frames=False,
    )
    found.PatientOrientation = source.get("PatientOrientation") or []
    return found
