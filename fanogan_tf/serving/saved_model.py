"""An exported detector, loaded again. It needs TensorFlow and nothing of the networks' code."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.serving.layout import CARD, OUTPUTS, SCORING, version_folder


def load(folder: Path) -> "ServedDetector":
    """Loads an export folder's newest version, or `folder` itself if it is one version.

    Raises:
      UserError: there is no SavedModel, or one that `scripts/export.py` has not written (says which signature is missing).
    """
    path = version_folder(folder)
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:  # A damaged file gives anything from DecodeError to ValueError.
        raise UserError(f"{path}: a damaged SavedModel ({' '.join(str(error).split())[:200]}); export it anew") from error
    for name, given in SCORING.items():
        function = getattr(module, "signatures", {}).get(name)
        if function is None:
            raise _not_ours(path, f"signature {name} is missing")
        there = {*function.structured_input_signature[1], *function.structured_outputs}
        lacking = [part for part in (given, *OUTPUTS) if part not in there]
        if lacking:
            raise _not_ours(path, f"signature {name} has no {', '.join(lacking)}")
    card = path / CARD
    return ServedDetector(module, path, json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {})


def _not_ours(path: Path, why: str) -> UserError:
    return UserError(f"{path}: no SavedModel of fanogan_tf: its {why}; scripts/export.py makes one")


class ServedDetector:
    """What `load` returns.

    path: the version's folder. card: model_card.json, {} where it is gone. image_shape: (H, W, 1). outputs: names of what it
    returns. inputs: of each signature the one input, a TensorSpec with its name.
    """

    def __init__(self, module, path: Path, card: dict):
        self._module = module  # Holds the variables.
        self.path = path
        self.card = card
        self.inputs = {name: _one(f.structured_input_signature[1].values()) for name, f in module.signatures.items()}
        self.outputs = tuple(sorted(module.signatures["serving_default"].structured_outputs))
        self.image_shape = tuple(self.inputs["serving_default"].shape[1:])

    @property
    def RESTORES(self) -> bool:
        """Whether it measures reconstruction and residual."""
        return "residual" in self.outputs

    def judge(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """`Detector.judge` of images (B, H, W, 1) in [-1, 1] that were stored with 8 or 16 bits; `measure` is the same."""
        return self(np.rint((np.asarray(images) + np.float32(1)) * np.float32(32767.5)) / np.float32(257))

    measure = judge

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """(B, H, W, 1) in [0, 255], 16-bit values divided by 257 -> `signatures.signatures`, by name, the batch first."""
        return self.run("serving_default", image=tf.convert_to_tensor(images, tf.float32))

    def from_bytes(self, contents: Sequence[bytes]) -> dict[str, np.ndarray]:
        """The same of encoded images, PNG or JPEG."""
        return self.run("serving_bytes", image_bytes=tf.constant(list(contents), tf.string, (len(contents),)))

    def run(self, signature: str, **inputs: tf.Tensor) -> dict[str, np.ndarray]:
        """Any signature."""
        return {name: value.numpy() for name, value in self._module.signatures[signature](**inputs).items()}


def _one(specs: Iterable[tf.TensorSpec]) -> tf.TensorSpec:
    (spec,) = specs
    return spec
