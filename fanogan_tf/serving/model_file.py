"""An exported model in one file, ONNX, OpenVINO or LiteRT, with the manners of a SavedModel: it scores, serves, is verified."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fanogan_tf import errors
from fanogan_tf.data.decode import decode_image
from fanogan_tf.data.pixels import resize, resize_mask
from fanogan_tf.detection.calibration import anomalous_at
from fanogan_tf.errors import UserError
from fanogan_tf.serving import formats, runtimes
from fanogan_tf.serving.saved_model import OUTPUTS, RATE, ServedDetector

_EXTRA_OF = {".onnx": "onnxruntime", ".xml": "openvino", ".tflite": "ai_edge_litert"}


def is_one(path: Path) -> bool:
    """Whether `path` names a file of one of the runtimes."""
    return Path(path).suffix in runtimes.LOADERS


def load(path: Path) -> "FileDetector":
    """Loads the file at `path`.

    Raises:
      UserError: it is not there, is damaged, is not ours, or its runtime is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; fanogan export --format=... makes one")
    errors.need(_EXTRA_OF[path.suffix], "formats", f"{path}: running it")
    try:
        model = runtimes.load(path)
    except Exception as error:  # Each runtime has its own ways to say that a file is damaged.
        raise UserError(f"{path}: a damaged model ({' '.join(str(error).split())[:200]}); export it again") from error
    lacking = [name for name in OUTPUTS if name not in model.outputs]
    if "image" not in model.inputs or lacking:
        raise UserError(f"{path}: no model of fanogan_tf: it has no {', '.join(lacking) or 'image'}; fanogan export makes one")
    card = formats.card_of(path)
    return FileDetector(model, path, json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {})


class FileDetector(ServedDetector):
    """What `load` returns. Of its signatures only serving_default is in the file: others are made of it, before and after."""

    PROOF = 4096

    def __init__(self, model: runtimes.Model, path: Path, card: dict):
        self._model, self.path, self.card = model, path, card
        names = ("image", *sorted(model.inputs.keys() - {"image"}))
        self._shape = model.inputs["image"][1:]
        self.inputs = {
            "serving_default": {name: tf.TensorSpec((None, *self._shape), tf.float32, name) for name in names},
            "serving_bytes": {f"{name}_bytes": tf.TensorSpec((None,), tf.string, f"{name}_bytes") for name in names},
        }
        rate = tf.TensorSpec((None,), tf.float32, RATE)
        self.inputs["serving_rate"] = {RATE: rate} | self.inputs["serving_default"]
        self.outputs = tuple(sorted(model.outputs))
        self.INPUTS = names

    def run(self, signature: str, **inputs: tf.Tensor) -> dict[str, np.ndarray]:
        """Any signature.

        Raises:
          ValueError: grey levels outside of [0, 255], or a file that is no PNG or JPEG.
        """
        arrays = {name: np.asarray(values) for name, values in inputs.items()}
        if signature == "serving_bytes":
            arrays = {name.removesuffix("_bytes"): self._decoded(name, list(values)) for name, values in arrays.items()}
        rate = arrays.pop(RATE, None)
        found = self._run(arrays)
        return found if rate is None else found | {"anomalous": anomalous_at(found["probability"], rate)}

    def _run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = arrays["image"]
        if not ((image >= 0.0) & (image <= 255.0)).all():
            raise ValueError("image: grey levels must be in [0, 255]")
        if len(image) == 0:
            # Not every runtime takes no image at all.
            found = self._model(**{name: np.zeros((1, *self._shape), np.float32) for name in arrays})
            return {name: values[:0] for name, values in found.items()}
        return self._model(**arrays)

    def _decoded(self, name: str, contents: Sequence[bytes]) -> np.ndarray:
        images = [decode_image(content) for content in contents]
        size = self._shape[0], self._shape[1]
        if name == "image_bytes":
            levels = [resize(image, size).astype(np.float32) / np.float32(257) for image in images]
        else:
            levels = [resize_mask(image > 0, size).astype(np.float32) for image in images]
        return np.array(levels, np.float32).reshape(-1, *self._shape)

    def proof(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`__call__`, in a process of its own that has the runtime and neither TensorFlow nor this package.

        Raises:
          UserError: that process failed; says with what.
        """
        with tempfile.TemporaryDirectory() as folder:
            given, written = Path(folder) / "given.npz", Path(folder) / "written.npz"
            arrays: dict = dict(zip(self.INPUTS, inputs, strict=True))
            np.savez(given, **arrays)
            # Isolated: what is found beside the script, or named by the environment, is not loaded.
            command = [sys.executable, "-I", runtimes.__file__, str(self.path), str(given), str(written)]
            finished = subprocess.run(command, capture_output=True, text=True)
            if finished.returncode:
                *_, last = finished.stderr.strip().splitlines() or ["no reason given"]
                raise UserError(f"{self.path}: cannot be run without TensorFlow and fanogan_tf ({last[:200]})")
            with np.load(written, allow_pickle=False) as kept:
                return {name: kept[name] for name in kept.files}
