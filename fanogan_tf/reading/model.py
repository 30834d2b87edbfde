"""The model that answers: a calibrated detector, whose it is, and what it was made for."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf.data.image_stream import unlabelled_batch
from fanogan_tf.data.pixels import resize, to_signed
from fanogan_tf.errors import UserError
from fanogan_tf.reading.finding import Algorithm, Finding


@dataclasses.dataclass(frozen=True)
class Model:
    """What a node answers with.

    Attributes:
      detector: calibrated; anything that can `judge`.
      algorithm: who says it.
      marked_from, whole_seen: see `Finding`.
      modalities: what it was made for, as DICOM names it.
    """

    detector: Any
    algorithm: Algorithm
    marked_from: float | None
    modalities: tuple[str, ...]
    whole_seen: bool = True

    @classmethod
    def exported(cls, path: Path, modalities: tuple[str, ...]) -> "Model":
        """The exported model at `path`.

        Raises:
          UserError: there is no model of ours, or one that needs more than the image, or whose model card is gone.
        """
        from fanogan_tf.detection.calibration import Calibration
        from fanogan_tf.serving import exported

        served = exported.load(path)
        if served.INPUTS != ("image",):
            raise UserError(f"{served.path}: needs {', '.join(served.INPUTS)} of every image, and a node gets images alone")
        card = served.card
        if not card:
            raise UserError(f"{served.path}: its model card is gone; export the run again")
        algorithm = Algorithm.of(card["flags"]["method"], card["weights"], card["flags"]["false_positive_rate"])
        marked_from = Calibration.from_json(card["calibration"]).marked_from
        return cls(served, algorithm, marked_from, modalities, card["flags"].get("region", "none") != "crop")

    def find(self, image: np.ndarray) -> tuple[Finding, np.ndarray, dict[str, Any]]:
        """What is said of an image (H, W) uint16; the image in [-1, 1]; and all that `judge` said of it, by name.

        Raises:
          ValueError: see `Finding.of`.
        """
        seen = resize(self.detector.cut(image), self.detector.image_shape[:2])
        batch = unlabelled_batch([""], [seen])
        said = {name: values[0] for name, values in self.detector.judge(batch["image"]).items()}
        finding = Finding.of(said, batch["image"][0], self.marked_from, self.whole_seen, self.detector.box(image))
        return finding, to_signed(image), said
