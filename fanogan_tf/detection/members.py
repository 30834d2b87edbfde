"""Several detectors of one kind as one: what GANs of different seeds make of an image, averaged (Han et al. 2021)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet, inputs_of
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.detection.detector import SETTINGS_FILE, Detector

KIND = "members"


class MembersDetector(Detector):
    """Each member's score and terms, divided by their means over held-out normals, averaged: a typical normal image has about 1.

    Restored images and maps are the members' means. Codes, and images generated from them, are the first member's.

    Attributes:
      members: detectors of one kind and image size.
      means: of each member, name -> mean over held-out normals of everything it measures per image.
    """

    KIND = KIND
    NETWORKS = {}

    def __init__(
        self, members: Sequence[Detector], means: Sequence[dict[str, float]], calibration: Calibration | None = None
    ) -> None:
        self.members, self.means = list(members), list(means)
        first = self.members[0]
        self.INPUTS, self.RESTORES, self.ENCODER = first.INPUTS, first.RESTORES, first.ENCODER
        super().__init__(first.spec, calibration=calibration)
        self.scored_by = first.scored_by
        for name in ("generator", first.ENCODER):
            if name in first.NETWORKS:
                setattr(self, name, getattr(first, name))

    def prepared(self, images: tf.Tensor, *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Inputs as they are: each member prepares its own."""
        return images, *others

    def compute(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """The means over the members; see the class."""
        found = [member.measured(*inputs) for member in self.members]
        joined = {}
        for name, values in found[0].items():
            if name == "latent":
                joined[name] = values
                continue
            scales = [means.get(name, 1.0) for means in self.means] if values.shape.rank == 1 else [1.0] * len(found)
            joined[name] = tf.add_n([one[name] / scale for one, scale in zip(found, scales, strict=True)]) / len(found)
        return joined

    def peaks(self, images: ImageSet, batch_size: int) -> np.ndarray:
        """The largest residual of each image's map: (N,)."""
        batches = (inputs_of(batch, self.INPUTS) for batch in images.batches(batch_size))
        return np.concatenate([self.measure(*inputs)["residual"].max(axis=(1, 2, 3)) for inputs in batches])

    @property
    def can_generate(self) -> bool:
        """See `Detector.can_generate`."""
        return self.members[0].can_generate

    def save(self, folder: Path) -> None:
        """See `Detector.save`: each member in a folder of its own."""
        calibration = self.calibrated().to_json()
        with files.whole_folder(folder) as temporary:
            for number, member in enumerate(self.members):
                # Only the whole is calibrated; what a member is saved with has no say.
                member.calibration = member.calibration or self.calibration
                member.save(temporary / str(number))
            self.save_front(temporary)
            settings = {"kind": KIND, "means": self.means, "calibration": calibration, "scored_by": self.scored_by}
            (temporary / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")


def joined(whole: Sequence[dict[str, np.ndarray]]) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    """Joins what members measured of the held-out images, (N,) each by name, as `MembersDetector.compute` does of others.

    Returns:
      each member's means, and the joined measurements.
    """
    # A term that is 0 for all normals is left as it is.
    means = [{name: float(values.mean()) or 1.0 for name, values in one.items()} for one in whole]
    parts = [{name: values / mean[name] for name, values in one.items()} for one, mean in zip(whole, means, strict=True)]
    return means, {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
