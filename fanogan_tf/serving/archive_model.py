"""RunInference's handler of our SavedModels. Beam's own handlers of TensorFlow models do not load those that Keras 3 exports."""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler

from fanogan_tf import options as options_module
from fanogan_tf.detection.scoring import TERMS
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

_SIGNATURE = "serving_default"
_NEEDED = ("score", "probability", "anomalous")


class SavedModelHandler(ModelHandler[np.ndarray, dict, object]):
    """Scores images (H, W) uint16, `batch_size` at once but for the last ones.

    Each becomes a dict of float: score, probability, anomalous (0 or 1) and the terms of `scoring.TERMS` that the method has.
    """

    def __init__(self, folder: str, batch_size: int):
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._folder = folder

    def load_model(self) -> object:
        """Once per worker process."""
        return tf.saved_model.load(self._folder)

    def run_inference(self, batch: Sequence[np.ndarray], model: object, inference_args: dict | None = None) -> Iterable[dict]:
        images = np.stack(batch)[..., np.newaxis].astype(np.float32) / np.float32(257)
        outputs = model.signatures[_SIGNATURE](image=tf.constant(images))
        names = [name for name in (*_NEEDED, *TERMS) if name in outputs]
        columns = [outputs[name].numpy().reshape(len(batch)).tolist() for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(image.nbytes for image in batch)


def image_size(folder: str) -> tuple[int, int]:
    """(height, width) of the images that the model in `folder` takes.

    Raises:
      UserError: there is no model, or none of ours.
    """
    if not tf.saved_model.contains_saved_model(folder):
        raise UserError(f"--saved_model={folder}: no SavedModel here (no saved_model.pb); give a folder of scripts/export.py")
    signatures = tf.saved_model.load(folder).signatures
    if _SIGNATURE not in signatures:
        raise UserError(f"--saved_model={folder}: not one of ours, it has no signature {_SIGNATURE} (but {_listed(signatures)})")
    signature = signatures[_SIGNATURE]
    missing = [name for name in _NEEDED if name not in signature.structured_outputs]
    if missing:
        raise UserError(f"--saved_model={folder}: not one of ours, {_SIGNATURE} has no output {_listed(missing)}")
    inputs = signature.structured_input_signature[1]
    if list(inputs) != ["image"] or len(inputs["image"].shape) != 4:
        raise UserError(f"--saved_model={folder}: not one of ours, {_SIGNATURE} takes {_listed(inputs)} and not images")
    return tuple(inputs["image"].shape[1:3])


def run_options(folder: str) -> Options | None:
    """The options of the run that the model is from, by its model card; None if it has no card.

    Raises:
      UserError: the card does not tell them.
    """
    path = f"{folder.rstrip('/')}/assets.extra/model_card.json"
    if not tf.io.gfile.exists(path):
        return None
    try:
        flags = json.loads(tf.io.gfile.GFile(path).read())["flags"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: does not tell the run's flags; export the run again with scripts/export.py") from error
    if isinstance(flags, dict):
        flags = "\n".join(f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in flags.items())
    return options_module.from_text(flags, path)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
