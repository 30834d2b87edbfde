"""The results of an OCT volume that came as one DICOM object: report, overlay of its worst B-scan, segmentations, map."""

from typing import Any

import numpy as np

from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.reading import overlay, report_document, segmentation
from fanogan_tf.reading.finding import NOTICE, Algorithm, Finding, deidentified_as, device, place, whole

KIND = "parametric_map"


def finding(data: np.ndarray, maps: np.ndarray, figures: dict[str, Any], calibration: Calibration) -> tuple[Finding, int]:
    """What is said of a volume; and which B-scan, counted from 0, it is shown by: the one of the largest mean residual.

    The threshold is one of patches. The volume's score is their mean, and it is anomalous where that lies above the threshold;
    the highest score of a patch and the share of patches above the threshold stand beside it.

    Args:
      data: (B, H, W) the scanner's grey values.
      maps: (B, H, W) |x - G(E(x))| in [0, 2] in the scanner's geometry, 0 where nobody has looked.
      figures: score_mean, score_max and share_anomalous of its patches, see `volume_scores`.
    """
    worst = int(maps.mean(axis=(1, 2)).argmax())
    darkest, brightest = float(data.min()), float(data.max())
    shown = 2.0 * (data[worst].astype(np.float32) - darkest) / max(brightest - darkest, 1e-6) - 1.0
    score = figures["score_mean"]
    found = Finding(
        score=score,
        probability=float(calibration.probability(np.array([score]))[0]),
        anomalous=bool(calibration.anomalous(np.array([score]))[0]),
        seen=shown,
        residual=maps[worst],
        marked_from=calibration.marked_from,
        further=(
            ("highest", "Highest anomaly score of a patch", figures["score_max"]),
            ("share", "Share of patches called anomalous", figures["share_anomalous"]),
        ),
        where=f"B-scan {worst + 1} of {len(maps)}",
    )
    return found, worst


def objects(source: Any, maps: np.ndarray, found: Finding, algorithm: Algorithm) -> dict[str, Any]:
    """The results by their kind, pydicom Datasets. Where frames have no places, there are neither map nor segmentations.

    Args:
      source: what the volume was read from, one object of several frames.
      maps: see `finding`, in the order of the frames.

    Raises:
      ValueError: the source does not say which study it belongs to, or holds values that the standard does not allow.
    """
    source = whole(source)
    made = {
        report_document.KIND: report_document.report(source, found, algorithm),
        overlay.KIND: overlay.secondary_capture(source, found.seen, found, algorithm),
    }
    if all("PlanePositionSequence" in frame for frame in source.get("PerFrameFunctionalGroupsSequence") or [{}]):
        made[KIND] = parametric_map(source, maps, algorithm)
        if found.marked_from:
            made |= segmentation.of_levels(source, maps, found.marked_from, algorithm)
    return deidentified_as(source, made)


def parametric_map(source: Any, maps: np.ndarray, algorithm: Algorithm) -> Any:
    """The residuals of every frame as float32, without a unit, in [0, 2]."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    values = hd.pm.RealWorldValueMapping(
        lut_label="residual",
        lut_explanation="absolute difference from the restored image",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 2.0),
        slope=1.0,
        intercept=0.0,
    )
    made = hd.pm.ParametricMap(
        [source],
        maps.astype(np.float32),
        **place(source, algorithm, KIND, 5),
        **device(algorithm),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[values],
        window_center=0.5,
        window_width=1.0,
        content_label="ANOMALY",
        content_description=NOTICE,
    )
    # The standard wants the field; known is only what the source says.
    made.Laterality = source.get("Laterality") or ""
    return made
