"""The door to exported models of every format."""

from pathlib import Path

from fanogan_tf.detection.detector import Detector
from fanogan_tf.serving import export, formats, model_file, saved_model
from fanogan_tf.serving.saved_model import ServedDetector


def write(
    detector: Detector, output: Path, card: dict, version: int = 0, kind: str = "saved_model", weights: str = "float32"
) -> Path:
    """Writes a detector as `output/<version>`, see `export.export`, or as a file, see `formats.write`; returns where."""
    if kind == "saved_model":
        return export.export(detector, output, version, card)
    return formats.write(detector, output, kind, weights, card)


def load(path: Path) -> ServedDetector:
    """Loads what `fanogan export` wrote: a SavedModel's folder (its newest version is taken) or one of its versions, or a file.

    Raises:
      UserError: there is no model of ours; or what `saved_model.load` and `model_file.load` raise.
    """
    return model_file.load(path) if model_file.is_one(path) else saved_model.load(path)
