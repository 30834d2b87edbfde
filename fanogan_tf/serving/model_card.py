"""The model card: where an exported model comes from, how good it was, and how it was calibrated."""

import dataclasses
import json
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import options as options_module
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.serving.export import sums

# Part of the exported graph, but for what may be asked for with each request.
_FIXED = options_module.names("detector", "networks") - {"false_positive_rate"}

PROTOCOL = (
    "Trained on normal images alone. Threshold and probability come from the scores of held-out normal images "
    "(data.validation), which were not trained on; probability is the share of normal images expected to score lower, and no "
    "probability of a disease. Metrics are those of the test images (data.test)."
)
UNITS = (
    "image: grey levels, [0, 255]; those of 16 bits divided by 257. reconstruction, generated: [-1, 1]. "
    "residual: |image - reconstruction| there, [0, 2]."
)


def describe(run: RunDirectory, options: Options, detector: Detector) -> dict:
    """The card of a trained run, but for what `export` adds.

    metrics: the report's metrics.json; None without a report, or with one of another calibration than the detector's.
    weights: sums of the files in RUN_DIR/detector.
    """
    flags = dataclasses.asdict(options)
    # Where files lay on the machine of the training is nobody's business.
    flags |= {name: Path(flags[name]).name for name in options_module.PATHS if flags[name]}
    return {
        "method": options.method,
        "kind": detector.KIND,
        "protocol": PROTOCOL,
        "units": UNITS,
        "data": json.loads(run.data.read_text(encoding="utf-8")),
        "metrics": _metrics(run, detector),
        "calibration": detector.calibrated().to_json(),
        "flags": flags,
        "versions": {
            "fanogan_tf": metadata.version("fanogan_tf"),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "weights": sums(run.detector),
    }


def _metrics(run: RunDirectory, detector: Detector) -> dict | None:
    path = run.report / "metrics.json"
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return values if values["operating_point"]["threshold"] == detector.calibrated().threshold else None


def options(card: dict, path: Path, options: Options, given: frozenset[str]) -> Options:
    """The options that the model at `path` was exported with, and of the given ones those that may change afterwards.

    Raises:
      UserError: another value is given of one that may not; or the card is of another version of fanogan_tf.
    """
    try:
        kept = Options(**card.get("flags", {}))
    except TypeError as error:
        raise UserError(f"{path}: its model card was not written by this version of fanogan_tf; export the run again") from error
    names = options_module.differing(kept, options, given)
    fixed = [name for name in names if name in _FIXED or name not in options_module.FREE]
    if fixed:
        details = ", ".join(f"--{name} is {getattr(kept, name)} there, {getattr(options, name)} here" for name in fixed)
        raise UserError(f"{path}: was exported from another run: {details}; leave it out, or export the run that has it")
    return dataclasses.replace(kept, **{name: getattr(options, name) for name in names})
