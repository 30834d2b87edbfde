"""Principal components, the plainest of the restoring methods: what a network must beat to be worth its training.

Principal components of normal images: as many as most of their variance takes. No label has a say in it.

The plainest way to restore an image: its projection on the principal components of normal ones.
"""

import numpy as np
import tensorflow as tf
from sklearn.decomposition import PCA

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.methods.base import calibrate_and_save, network_spec
from fanogan_tf.methods.fitted import PHASES, check, fit_once, training_seconds
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.losses import mean_square

VARIANCE_KEPT = 0.95


def principal_components(rows: np.ndarray, most: int, seed: int) -> dict[str, np.ndarray]:
    """The first components that together hold 95 % of the variance, or `most` of them where those hold less.

    Args:
      rows: (n, pixels), n >= 2.
      most: >= 1.
      seed: of the randomised solver that scikit-learn takes for large matrices.

    Returns:
      mean (pixels,) and components (k, pixels), orthonormal rows, largest variance first; of the type of `rows`.
    """
    pca = PCA(min(most, *rows.shape), random_state=seed).fit(rows)
    held = np.cumsum(pca.explained_variance_ratio_)
    count = 1 + np.searchsorted(held[:-1], VARIANCE_KEPT)
    return {"mean": pca.mean_, "components": pca.components_[:count]}


class PcaDetector(Detector):
    """A = A_R = 1/n ||x - x'||^2, x' the image in the span of the components.

    `mean` (pixels,) and `components` (k, pixels): see `principal_components`.
    """

    KIND = "pca"
    NETWORKS = {}
    ARRAYS = ("mean", "components")

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """score = image_residual, reconstruction and residual of `Detector.measure`."""
        centred = tf.reshape(images, (-1, self.mean.shape[0])) - self.mean
        projected = tf.matmul(tf.matmul(centred, self.components, transpose_b=True), self.components)
        score = mean_square(centred - projected)
        # The score is the textbook's; what is shown stays within what an image can be.
        restored = tf.clip_by_value(tf.reshape(projected + self.mean, tf.shape(images)), -1.0, 1.0)
        return {
            "score": score,
            "image_residual": score,
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
        }


__all__ = ["PHASES", "check", "train", "training_seconds"]


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Fits where that is not done yet; then the calibrated Detector is in `run.detector`."""
    arrays = fit_once(run, options, splits, principal_components)
    print(f"PCA: {len(arrays['components'])} components", flush=True)
    detector = PcaDetector(network_spec(options, splits.train.image_shape), **arrays)
    calibrate_and_save(detector, run, options, splits)
