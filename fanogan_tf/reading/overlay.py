"""The picture that every PACS shows: the image in grey, what the model did not expect in red, and the words beside it."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fanogan_tf.data.pixels import to_grey
from fanogan_tf.detection.maps import overlay
from fanogan_tf.reading.finding import NOTICE, Algorithm, Finding, place

KIND = "overlay"
SIDE = 1024  # Of the longer side, in pixels, where the image is larger.
_LINE = 24


def picture(film: np.ndarray | None, finding: Finding) -> np.ndarray:
    """Paints `finding` over `film`, (H, W) in [-1, 1], or over what the networks saw, with words below: uint8 (H', W', 3)."""
    shown = finding.seen if film is None or finding.residual is None else film
    height, width = shown.shape
    share = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    # Small images are enlarged, or the words would not fit.
    size = tuple(side * -(-256 // min(size)) for side in size) if min(size) < 256 else size
    grey = np.asarray(Image.fromarray(shown.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    if finding.residual is None:
        colours = np.repeat(to_grey(grey[..., None]), 3, axis=-1)
    else:
        map_ = Image.fromarray((finding.residual / 2.0).astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
        colours = overlay(grey[..., None], np.asarray(map_))
    words = Image.new("RGB", (size[0], 2 * _LINE))
    draw = ImageDraw.Draw(words)
    draw.text(
        (4, 2), f"{finding.verdict}; score {finding.score:.4g}, above {100 * finding.probability:.1f} % of normals", "white"
    )
    draw.text((4, 2 + _LINE), f"{finding.where}; {NOTICE}" if finding.where else NOTICE, "white")
    return np.concatenate([colours, np.asarray(words)])


def secondary_capture(source: Any, film: np.ndarray | None, finding: Finding, algorithm: Algorithm) -> Any:
    """A secondary capture image in the study of `source`, a pydicom Dataset as `finding.whole` returns it."""
    import highdicom as hd

    capture = hd.sc.SCImage.from_ref_dataset(
        source,
        picture(film, finding),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        **place(source, algorithm, KIND, 2),
    )
    # highdicom wants an orientation, and the standard both fields; known is only what the source says.
    capture.PatientOrientation = source.get("PatientOrientation") or []
    capture.Laterality = source.get("Laterality") or ""
    # Whether the pixels tell who the patient is: what is drawn here does not, and of the rest only the source knows.
    capture.BurnedInAnnotation = "NO" if source.get("BurnedInAnnotation") == "NO" else "YES"
    return capture
