"""Does an exported model give the very scores of the run that it came from?"""

import numpy as np
from sklearn.metrics import roc_auc_score

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.serving.saved_model import ServedDetector

TOLERANCE = 1e-5  # Of the score.


def compare(detector: Detector, served: ServedDetector, test: ImageSet, batch_size: int) -> str:
    """Scores `test` with both, in the same batches; returns the line that says how far apart they are.

    Raises:
      UserError: the images are of another size than the model's; or a score differs by more than TOLERANCE, relative.
    """
    if test.image_shape != served.image_shape:
        raise UserError(
            f"{served.path}: takes images of {_size(served.image_shape)}, those of the run are {_size(test.image_shape)}: "
            f"an export of another run"
        )
    ours, exported = [], []
    for first in range(0, len(test), batch_size):
        part = np.arange(first, min(first + batch_size, len(test)))
        ours.append(detector.measure(test.float_images(part))["score"])
        exported.append(served(grey_levels(test.images[part]))["score"])
    ours, exported = np.concatenate(ours).astype(np.float64), np.concatenate(exported).astype(np.float64)
    absolute = np.abs(ours - exported)
    relative = np.divide(absolute, np.abs(ours), out=np.where(absolute == 0, 0.0, np.inf), where=ours != 0)
    worst = int(np.argmax(relative))  # NaN counts as the largest.
    if not relative[worst] <= TOLERANCE:
        raise UserError(
            f"{served.path}: scores differ from the run's by up to {relative[worst]:.2g} relative, more than {TOLERANCE:g} "
            f"(image {test.names[worst]}: {exported[worst]:.9g}, in the run {ours[worst]:.9g}); export the run anew"
        )
    return (
        f"{len(test)} test images: scores differ by at most {absolute.max():.2g}, relative {relative[worst]:.2g}; "
        f"AUROC {_auroc(test.labels, exported)}, in the run {_auroc(test.labels, ours)}"
    )


def grey_levels(images: np.ndarray) -> np.ndarray:
    """uint8 or uint16 -> float32 in [0, 255], as `serving_default` takes them."""
    return np.asarray(images).astype(np.float32) / np.float32(257 if images.dtype == np.uint16 else 1)


def _auroc(labels: np.ndarray, scores: np.ndarray) -> str:
    known = labels >= 0
    if len(set(labels[known].tolist())) < 2:
        return "not defined, as the test images are not of both kinds"
    return f"{roc_auc_score(labels[known], scores[known]):.6f}"


def _size(image_shape: tuple[int, ...]) -> str:
    return "x".join(map(str, image_shape[:2]))
