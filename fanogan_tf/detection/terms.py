"""All score terms of an image together, and the score that is made of them."""

from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf.detection import residuals, robust
from fanogan_tf.detection.normality import Normality, Seen
from fanogan_tf.detection.robust import Scales

# What every method's own score is made of; NaN where a method has no such term.
OWN = ("image_residual", "feature_residual", "latent_distance")
# Measured beside it where there is a critic, whatever the score; the last two are whole scores.
FURTHER = (
    *("feature_density", "feature_outside", "nearest_normals", "place_density", "critic_distance"),
    *("block_residual", "worst_blocks", "local_correlation"),
    *("paper_score", "robust_score"),
)


def of_normality(images: tf.Tensor, measured: dict[str, Any], seen: Seen, normality: Normality) -> dict[str, tf.Tensor]:
    """The terms that need no scale, each (B,): `Normality.terms` and, where images are restored, `local_correlation`."""
    found = normality.terms(seen.image)
    if "reconstruction" in measured:
        found["local_correlation"] = residuals.local_correlation(images, measured["reconstruction"])
    return found


def with_terms(
    measured: dict[str, Any], images: tf.Tensor, seen: Seen, normality: Normality, scales: Scales, scored_by: str
) -> dict[str, tf.Tensor]:
    """Adds to what a method measured all further terms, `paper_score` and `robust_score`; `score` becomes one of these two.

    Returns:
      also block_residual and worst_blocks, (B,): the mean square difference of the critic's maps of an image and its restored
      one, over all positions or over the worst tenth, each map's divided by its mean over held-out normals; their mean.
      normality_map (B, H, W, 1), at least 0: `Normality.places`, enlarged. block_map (B, H, W, 1): `residuals.residual_map`.
    """
    found = of_normality(images, measured, seen, normality)
    size = (images.shape[1], images.shape[2])
    maps = {"normality_map": tf.image.resize(normality.places(seen.image)[..., None], size)}
    if seen.restored is not None and scales.blocks:
        count = len(scales.blocks) // 2
        means, worst = residuals.block_residuals(seen.image, seen.restored)
        found["block_residual"] = tf.reduce_mean(means / np.array(scales.blocks[:count], np.float32), axis=1)
        found["worst_blocks"] = tf.reduce_mean(worst / np.array(scales.blocks[count:], np.float32), axis=1)
        maps["block_map"] = residuals.residual_map(seen.image, seen.restored, np.array(scales.blocks[:count], np.float32), size)
    found["paper_score"] = measured["score"]
    found["robust_score"] = robust.score(found, scales)
    return measured | found | maps | {"score": found[f"{scored_by}_score"]}
