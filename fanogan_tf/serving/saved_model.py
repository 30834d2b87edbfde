"""An exported detector, loaded again and compared with the run that it came from. It needs nothing of the networks' code."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import ScoresImages
from fanogan_tf.errors import UserError

EXTRA = "assets.extra"
CARD = f"{EXTRA}/model_card.json"

# The signatures that every model has, by the input that those have in any case; and the outputs that they always have.
SCORING = {"serving_default": "image", "serving_bytes": "image_bytes"}
OUTPUTS = ("score", "probability", "anomalous")

RATE = "false_positive_rate"
TOLERANCE = 1e-5  # Of a score, relative.


def load(folder: Path) -> "ServedDetector":
    """Loads an export folder's newest version, or `folder` itself if it is one version.

    Raises:
      UserError: there is no SavedModel, or one that `fanogan export` has not written (says which signature is missing).
    """
    path = version_folder(folder)
    told = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # TensorFlow warns that there are no gradients, which nobody takes here.
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:  # A damaged file gives anything from DecodeError to ValueError.
        raise UserError(f"{path}: a damaged SavedModel ({' '.join(str(error).split())[:200]}); export it again") from error
    finally:
        logging.set_verbosity(told)
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
    return UserError(f"{path}: no SavedModel of fanogan_tf: its {why}; fanogan export makes one")


class ServedDetector(ScoresImages):
    """What `load` returns.

    Attributes:
      path: the version's folder.
      card: model_card.json, {} where it is gone.
      image_shape: (H, W, 1).
      inputs: of each signature its inputs, a TensorSpec by name.
      outputs: names of what it returns.
      INPUTS: see `Detector`.
      PROOF: how many images `proof` takes at once; 0 for as many as are scored at once.
      rate: the false positive rate that `anomalous` is to have; None for that of the calibration.
    """

    PROOF = 0
    rate: float | None = None

    def __init__(self, module, path: Path, card: dict):
        self._module = module  # Holds the variables.
        self.path = path
        self.card = card
        self.inputs = {name: dict(sorted(f.structured_input_signature[1].items())) for name, f in module.signatures.items()}
        default = self.inputs["serving_default"]
        self.outputs = tuple(sorted(module.signatures["serving_default"].structured_outputs))
        self.INPUTS = ("image", *sorted(default.keys() - {"image"}))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 1)."""
        _, height, width, channels = self.inputs["serving_default"]["image"].shape
        return height, width, channels

    @property
    def RESTORES(self) -> bool:
        """Whether it measures reconstruction and residual."""
        return "residual" in self.outputs

    def judge(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`Detector.judge` of images in [-1, 1] that were stored with 8 or 16 bits; `measure` is the same."""
        images, *more = inputs
        return self(np.rint((np.asarray(images) + np.float32(1)) * np.float32(32767.5)) / np.float32(257), *more)

    measure = judge

    def __call__(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """(B, H, W, 1) for each of INPUTS, images in [0, 255], 16-bit values divided by 257 -> `export.signatures`, by name."""
        tensors = [tf.convert_to_tensor(values, tf.float32) for values in inputs]
        named = dict(zip(self.INPUTS, tensors, strict=True))
        if self.rate is None:
            return self.run("serving_default", **named)
        return self.run("serving_rate", **named, **{RATE: tf.fill((len(tensors[0]),), self.rate)})

    def proof(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`__call__`, with as little of this package as there can be: of a SavedModel nothing but TensorFlow's own loading."""
        return self(*inputs)

    def from_bytes(self, *inputs: Sequence[bytes]) -> dict[str, np.ndarray]:
        """The same of encoded files, PNG or JPEG."""
        tensors = (tf.constant(list(contents), tf.string, (len(contents),)) for contents in inputs)
        return self.run("serving_bytes", **{f"{name}_bytes": tensor for name, tensor in zip(self.INPUTS, tensors, strict=True)})

    def run(self, signature: str, **inputs: tf.Tensor) -> dict[str, np.ndarray]:
        """Any signature."""
        return {name: value.numpy() for name, value in self._module.signatures[signature](**inputs).items()}


def versions(folder: Path) -> list[int]:
    """The versions in an export folder, ascending."""
    if not Path(folder).is_dir():
        return []
    return sorted(int(path.name) for path in Path(folder).iterdir() if path.name.isdecimal() and path.is_dir())


def version_folder(folder: Path) -> Path:
    """`folder` itself if a SavedModel is right in it, else its newest version.

    Raises:
      UserError: there is neither.
    """
    folder = Path(folder)
    found = [folder, *(folder / str(version) for version in reversed(versions(folder)))]
    for path in found:
        if (path / "saved_model.pb").is_file():
            return path
    raise UserError(f"{folder}: no SavedModel here (no saved_model.pb, nor a version with one); fanogan export makes one")


def compare(detector: Detector, served: ServedDetector, test: ImageSet, batch_size: int, sent: ImageSet | None = None) -> str:
    """Scores `test` with both, in the same batches; returns the line that says how far apart they are.

    sent: what a model gets that cuts whole films itself, those of `test`; None: `test`.

    Raises:
      UserError: the images are of another size than the model's; or a score differs by more than TOLERANCE.
    """
    sent = test if sent is None else sent
    if sent.image_shape != served.image_shape:
        raise UserError(
            f"{served.path}: takes images of {_size(served.image_shape)}, those of the run are {_size(sent.image_shape)}: "
            f"an export of another run"
        )
    parts: list[tuple[np.ndarray, ...]] = []
    at_once = served.PROOF or batch_size
    for first in range(0, len(test), at_once):
        part = np.arange(first, min(first + at_once, len(test)))
        ours = [_judged(detector, test, part[start : start + batch_size]) for start in range(0, len(part), batch_size)]
        _, *more = test.inputs(part, detector.INPUTS)
        theirs = served.proof(grey_levels(sent.images[part]), *more)
        parts.append((*map(np.concatenate, zip(*ours, strict=True)), theirs["score"], theirs["anomalous"]))
    ours_score, ours_call, score, call = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    ours_score, score = ours_score.astype(np.float64), score.astype(np.float64)
    absolute = np.abs(ours_score - score)
    relative = np.divide(absolute, np.abs(ours_score), out=np.where(absolute == 0, 0.0, np.inf), where=ours_score != 0)
    worst = int(np.argmax(relative))  # NaN counts as the largest.
    weights = served.card.get("signatures", {}).get("serving_default", {}).get("weights", "float32")
    # Of weights that were made coarser on purpose, what that cost is told.
    if weights == "float32" and not relative[worst] <= TOLERANCE:
        raise UserError(
            f"{served.path}: scores differ from the run's by up to {relative[worst]:.2g} relative, more than "
            f"{TOLERANCE:g} (image {test.names[worst]}: {score[worst]:.9g}, in the run {ours_score[worst]:.9g}); "
            f"export the run again"
        )
    other = int((ours_call.astype(bool) != call.astype(bool)).sum())
    return (
        f"{len(test)} test images: scores differ by at most {absolute.max():.2g}, relative {relative[worst]:.2g}; "
        f"{'all decisions are the same' if not other else f'{other} decisions differ'}; "
        f"AUROC {_auroc(test.labels, score)}, in the run {_auroc(test.labels, ours_score)}"
    )


def _judged(detector: Detector, test: ImageSet, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and decisions."""
    judged = detector.judge(*test.inputs(part, detector.INPUTS))
    return judged["score"], judged["anomalous"]


def grey_levels(images: np.ndarray) -> np.ndarray:
    """uint8 or uint16 -> float32 in [0, 255], as `serving_default` takes them."""
    return np.asarray(images).astype(np.float32) / np.float32(257 if images.dtype == np.uint16 else 1)


def _auroc(labels: np.ndarray, scores: np.ndarray) -> str:
    known = labels >= 0
    if len(set(labels[known].tolist())) < 2:
        return "not defined, as the test images are not of both kinds"
    from sklearn.metrics import roc_auc_score  # Not to score with.

    return f"{roc_auc_score(labels[known], scores[known]):.6f}"


def _size(image_shape: tuple[int, ...]) -> str:
    return "x".join(map(str, image_shape[:2]))
