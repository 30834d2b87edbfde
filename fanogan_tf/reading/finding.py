"""What there is to say of one image, and who says it; and the parts that all results of one image share."""

import dataclasses
import hashlib
import json
import re
from typing import Any

import numpy as np
from PIL import Image

from fanogan_tf import __version__

# In every series' description, so that no list in a PACS shows a result without it.
NOTICE = "research, not for diagnosis"
MANUFACTURER = "fanogan_tf"
# Of codes that no standard has.
SCHEME = "99FANOGAN"
# How the source says that its patient cannot be told; its results say so, too.
_DEIDENTIFIED = ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence")
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
_OF_THE_STUDY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """Who says it.

    Attributes:
      method: as `--method` names it.
      version: of this package.
      weights: sha256 over the files of the detector, hexadecimal.
      false_positive_rate: share of normal images that the threshold was set to call anomalous.
    """

    method: str
    version: str
    weights: str
    false_positive_rate: float

    @classmethod
    def of(cls, method: str, weights: dict[str, str], false_positive_rate: float) -> "Algorithm":
        """That of this package. weights: sha256 of each file of the detector, by its name."""
        whole = hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()
        return cls(method, __version__, whole, false_positive_rate)

    @property
    def name(self) -> str:
        """As it stands in reports."""
        return f"{MANUFACTURER} {self.method}"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What is said of one image.

    Attributes:
      score: the anomaly score; higher is more anomalous.
      probability: share of normal images that score lower, in [0, 1]; not the probability of a disease.
      anomalous: whether the score exceeds the calibrated threshold.
      seen: (h, w) what the networks saw, in [-1, 1].
      residual: (h, w) |x - G(E(x))| in [0, 2] of the whole image, 0 where the networks did not look; None where the method
        restores none, or where on the image it looked is not known.
      marked_from: residual from which a pixel is marked; None where the detector has no such threshold.
      further: other figures of a report: code, meaning, number.
      where: which part of the source is shown, in words; "" for all of it.
    """

    score: float
    probability: float
    anomalous: bool
    seen: np.ndarray
    residual: np.ndarray | None = None
    marked_from: float | None = None
    further: tuple[tuple[str, str, float], ...] = ()
    where: str = ""

    @classmethod
    def of(
        cls,
        said: dict[str, Any],
        seen: np.ndarray,
        marked_from: float | None,
        whole_seen: bool,
        box: tuple[int, int, int, int] | None = None,
    ) -> "Finding":
        """What `judge` said of one image.

        Args:
          said: its entries by name.
          seen: (h, w, 1).
          whole_seen: whether that is the whole image.
          box: where not, which part of it, see `Front.box`; an exported model says so itself, in `said`.

        Raises:
          ValueError: the image was cut to its organ, and that was not found, or is strange: its score means nothing.
        """
        if not said.get("region_found", True):
            raise ValueError("its lungs were not found, or are strange")
        residual = said["residual"][..., 0] if "residual" in said else None
        if residual is not None and not whole_seen:
            where = said.get("region_box", box)
            residual = None if where is None else _on_the_film(residual, [int(side) for side in where])
        score, probability, anomalous = float(said["score"]), float(said["probability"]), bool(said["anomalous"])
        return cls(score, probability, anomalous, seen[..., 0], residual, marked_from)

    @property
    def verdict(self) -> str:
        """In one word."""
        return "anomalous" if self.anomalous else "normal"


def _on_the_film(residual: np.ndarray, box: list[int]) -> np.ndarray:
    """(h, w) of a box -> (FILM, FILM), 0 outside of it."""
    # Brings TensorFlow, which the readers' page does without.
    from fanogan_tf.data.organ import FILM

    top, left, bottom, right = box
    film = np.zeros((FILM, FILM), np.float32)
    part = Image.fromarray(residual.astype(np.float32)).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    film[top:bottom, left:right] = np.asarray(part)
    return film


def place(source: Any, algorithm: Algorithm, kind: str, number: int) -> dict[str, Any]:
    """Where a result of `source` (a pydicom Dataset) stands: series and instance, as highdicom's makers take them.

    UIDs follow from the image, the weights and the kind: the same result made twice is one object, not two.
    """
    from pydicom.uid import generate_uid

    made_of = [algorithm.weights, algorithm.version, kind]
    return {
        "series_instance_uid": generate_uid(entropy_srcs=[str(source.SeriesInstanceUID), *made_of]),
        # Numbers of a study's series need not differ, but those of scanners are small.
        "series_number": 9900 + number,
        "sop_instance_uid": generate_uid(entropy_srcs=[str(source.SOPInstanceUID), *made_of]),
        "instance_number": int(source.get("InstanceNumber") or 1),
        "manufacturer": MANUFACTURER,
        "series_description": f"Anomaly {kind} ({NOTICE})",
    }


def device(algorithm: Algorithm) -> dict[str, Any]:
    """What makers of images take besides `place`."""
    return {
        "manufacturer_model_name": algorithm.name,
        "software_versions": algorithm.version,
        "device_serial_number": algorithm.weights[:16],
    }


def whole(source: Any) -> Any:
    """A copy of a data set with the fields that results take from it; those that the file does not have are empty.

    Raises:
      ValueError: it does not say which study, series and instance it is.
    """
    copy = source.copy()
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        # They become names of files: digits and dots, and nothing else.
        if not _UID.fullmatch(str(copy.get(name, ""))):
            raise ValueError(f"it has no valid {name}")
    for name in _OF_THE_STUDY:
        if name not in copy:
            setattr(copy, name, "")
    return copy


def deidentified_as(source: Any, results: dict[str, Any]) -> dict[str, Any]:
    """The results of `source`, which say of their patient what it says."""
    for result in results.values():
        for name in _DEIDENTIFIED:
            if name in source:
                result[name] = source[name]
    return results
