"""RunInference's handler of our SavedModels. Beam's own handlers of TensorFlow models do not load those that Keras 3 exports."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from fanogan_tf.detection.scoring import TERMS
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.archive_files import at_hand
from fanogan_tf.serving.saved_model import ServedDetector


class SavedModelHandler(ModelHandler[np.ndarray, dict, ServedDetector]):
    """Scores images (H, W) uint16, `batch_size` at once but for the last ones.

    Each becomes what a row of `score_table` says of it: score, probability, anomalous and the terms that the method has.
    """

    def __init__(self, folder: str, batch_size: int):
        """folder: path or URL of an export folder, or of one of its versions."""
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._folder = folder

    def load_model(self) -> ServedDetector:
        """Once per worker process. Raises UserError: there is no model of ours."""
        with at_hand(self._folder) as path:
            return saved_model.load(Path(path))

    def run_inference(
        self, batch: Sequence[np.ndarray], model: ServedDetector, inference_args: dict | None = None
    ) -> Iterable[dict]:
        outputs = model(np.stack(batch)[..., np.newaxis].astype(np.float32) / np.float32(257))
        columns = {name: outputs[name].tolist() for name in ("score", "probability", "anomalous", *TERMS) if name in outputs}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(image.nbytes for image in batch)
