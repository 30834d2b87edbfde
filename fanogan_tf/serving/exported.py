"""The door to exported models of every format."""

from pathlib import Path

from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.serving import export, formats, model_file, saved_model
from fanogan_tf.serving.saved_model import ServedDetector


def write(
    detector: Detector, output: Path, card: dict, version: int = 0, kind: str = "saved_model", weights: str = "float32"
) -> Path:
    """Writes a detector as `output/<version>`, see `export.export`, or as a file, see `formats.write`; returns where."""
    if kind == "saved_model":
        return export.export(detector, output, version, card)
    return formats.write(detector, output, kind, weights, card)


def load(path: Path, rate: float | None = None) -> ServedDetector:
    """Loads what `fanogan export` wrote: a SavedModel's folder (its newest version is taken) or one of its versions, or a file.

    rate: of false positives, in place of that of the calibration.

    Raises:
      UserError: there is no model of ours, or an older one that takes no rate; or what `saved_model.load` and `model_file.load`
        raise.
    """
    served = model_file.load(path) if model_file.is_one(path) else saved_model.load(path)
    if rate is not None and "serving_rate" not in served.inputs:
        raise UserError(f"--false_positive_rate={rate:g}: {path} has its own alone; export the run again")
    served.rate = rate
    return served
