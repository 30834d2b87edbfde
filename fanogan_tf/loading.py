"""The one way from a path to something that scores: a trained run, or an exported model."""

import os
from pathlib import Path

from fanogan_tf import methods
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.saved_model import ServedDetector


def load(path: str | os.PathLike, precision: str = "") -> Detector | ServedDetector:
    """The detector of a run directory, or of a SavedModel that `fanogan export` wrote; both have `score(images)`.

    Args:
      path: the run, or the model's folder (its newest version is taken) or one version of it.
      precision: of a run, the arithmetic to score in: none (float32), bfloat16 or float16; "" is that of the training.

    Raises:
      UserError: neither is there.
    """
    run = RunDirectory(Path(path))
    if run.detector.is_dir():
        return methods.load_detector(run.detector, precision)
    if run.flags.is_file():
        raise UserError(f"{path}: this run is not trained to its end; run fanogan train --run_dir={path} first")
    if not Path(path).is_dir():
        raise UserError(f"{path}: no such folder; give a trained run, or a model that fanogan export wrote")
    return saved_model.load(Path(path))
