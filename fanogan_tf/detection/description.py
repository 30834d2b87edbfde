"""What is learned of normal images once the networks are trained: their looks from training ones, scales from held-out ones."""

from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet, inputs_of
from fanogan_tf.detection import normality, residuals, robust, terms
from fanogan_tf.detection.detector import Detector
from fanogan_tf.random_streams import Stream

PEAK = "residual_peak"
MOST_IMAGES = 5000  # Training normals that are described: 20 for each component.


def describe(
    detector: Detector, train: ImageSet, held_out: ImageSet, batch_size: int, scored_by: str, most_normals: int, seed: int
) -> dict[str, np.ndarray]:
    """Describes normal images where the detector has a critic, and measures the held-out ones once.

    Args:
      detector: gets the description, see `Detector.describe_normals`; one without a critic stays as it is.
      train: at most 5,000 of them are described.
      scored_by: `paper` or `robust`.
      most_normals: how many single training normals `nearest_normals` compares with.
      seed: of all that is drawn.

    Returns:
      of the held-out images score, all terms that there are, and PEAK, the largest residual, where there are maps: (N,) each.
    """
    known = _described(detector, train, batch_size, most_normals, seed) if detector.sees else None
    pixels = tf.TensorSpec((None, *detector.spec.image_shape), tf.float32)

    @tf.function(autograph=False, input_signature=[pixels] * len(detector.INPUTS))
    def measure(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = detector.prepared(*inputs)
        measured = detector.compute(*inputs)
        seen = measured.pop("seen", None)
        found = {name: measured[name] for name in ("score", *terms.OWN) if name in measured}
        if "residual" in measured:
            found[PEAK] = tf.reduce_max(measured["residual"], axis=[1, 2, 3])
        if seen is None or known is None:
            return found
        found |= terms.of_normality(inputs[0], measured, seen, known)
        if seen.restored is not None:
            found["block_means"], found["block_worst"] = residuals.block_residuals(seen.image, seen.restored)
        return found

    parts: dict[str, list[np.ndarray]] = {}
    for batch in held_out.batches(batch_size):
        for name, values in measure(*map(tf.convert_to_tensor, inputs_of(batch, detector.INPUTS))).items():
            parts.setdefault(name, []).append(values.numpy())
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    peaks = {name: whole.pop(name) for name in (PEAK,) if name in whole}
    return (whole if known is None else _scored(detector, known, whole, scored_by)) | peaks


def _described(detector: Detector, train: ImageSet, batch_size: int, most_normals: int, seed: int) -> normality.Normality:
    some = np.sort(np.random.default_rng([seed, Stream.DESCRIBED_IMAGES]).permutation(len(train))[:MOST_IMAGES])

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *detector.spec.image_shape), tf.float32)])
    def look(images: tf.Tensor) -> normality.Hidden:
        return detector.look(detector.spec.prepared(images))

    batches = (train.float_images(some[first : first + batch_size]) for first in range(0, len(some), batch_size))
    return normality.fit(lambda images: look(tf.convert_to_tensor(images)), batches, most_normals, seed)


def _scored(
    detector: Detector, known: normality.Normality, whole: dict[str, np.ndarray], scored_by: str
) -> dict[str, np.ndarray]:
    """Fits the scales, gives the detector all that was learned, and joins the held-out images' terms to scores."""
    blocks: tuple[float, ...] = ()
    if "block_means" in whole:
        means, worst = whole.pop("block_means"), whole.pop("block_worst")
        # Of a map in which every restored image is exact, any difference is far off.
        scale_means, scale_worst = (np.maximum(values.mean(axis=0), 1e-9) for values in (means, worst))
        blocks = (*map(float, scale_means), *map(float, scale_worst))
        whole["block_residual"] = (means / scale_means).mean(axis=1)
        whole["worst_blocks"] = (worst / scale_worst).mean(axis=1)
    whole["paper_score"] = whole.pop("score")
    scales = robust.fit({name: values for name, values in whole.items() if name != "paper_score"}, blocks)
    tensors: dict[str, Any] = {name: tf.constant(values, tf.float32) for name, values in whole.items()}
    whole["robust_score"] = robust.score(tensors, scales).numpy()
    whole["score"] = whole[f"{scored_by}_score"]
    detector.describe_normals(known, scales, scored_by)
    return whole
