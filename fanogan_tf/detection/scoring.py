"""Every image of a source through the detector, batch by batch: memory does not grow with their number.

The anomaly score and the pixel map, as pure functions (f-AnoGAN, section 2.3).

The residuals are `losses.mean_square` of differences: means over pixels, features or coordinates, never sums, so that a score
does not grow with the image.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from fanogan_tf.data.image_set import inputs_of

TERMS = ("image_residual", "feature_residual", "latent_distance")  # NaN where a method has no such term.


def batch_size_for(asked: int) -> int:
    """How many images to score at once: `asked`, or if that is 0 what suits the machine.

    On two CPU cores more than 64 gains little (results/scoring.json); a GPU wants more to do at once (not measured).
    """
    return asked or (256 if tf.config.list_physical_devices("GPU") else 64)


def score_rows(
    detector: Any, source: Any, batch_size: int, on_batch: Callable[[dict, dict], None] = lambda batch, measured: None
) -> Iterator[dict]:
    """Scores a source and shows a progress bar.

    Args:
      detector: a calibrated Detector, or anything else that can `judge`.
      source: an ImageSet or ImageStream: `len` and `batches(batch_size)`.
      on_batch: called with each batch and what `Detector.judge` said of it, while both are at hand.

    Yields:
      One row of `score_table` per image, in order, and its `group`, "" where the source has none.
    """
    with tqdm(total=len(source), desc="scoring", unit="image") as bar:
        for batch in source.batches(batch_size):
            judged = detector.judge(*inputs_of(batch, detector.INPUTS))
            on_batch(batch, judged)
            for i, name in enumerate(batch["name"]):
                yield {
                    "image": str(name),
                    "group": str(batch["group"][i]) if "group" in batch else "",
                    "label": int(batch["label"][i]),
                    "class": str(batch["class_name"][i]),
                    **{name: judged[name][i] for name in ("score", "probability", "anomalous")},
                    **{term: judged[term][i] if term in judged else math.nan for term in TERMS},
                }
            bar.update(len(batch["name"]))


def anomaly_score(image_residual: tf.Tensor, feature_residual: tf.Tensor, kappa: float) -> tf.Tensor:
    """A = A_R + kappa A_D (eq. 8): (B,)."""
    return image_residual + kappa * feature_residual


def pixel_map(images: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """|x - G(E(x))| (eq. 9): (B, H, W, 1), in [0, 2]."""
    return tf.abs(images - restored)
