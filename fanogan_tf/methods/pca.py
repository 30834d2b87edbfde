"""Principal components of normal images: the baseline that a network must beat to be worth its training.

An image is restored as its projection on the components. No label has a say in them.
"""

import numpy as np
import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.methods.fitted import FittedMethod
from fanogan_tf.networks.spec import NetworkSpec
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
    from sklearn.decomposition import PCA  # Not to score with.

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
        """Score = image_residual, reconstruction and residual of `Detector.measure`."""
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


class Pca(FittedMethod):
    """Principal components."""

    DETECTORS = (PcaDetector,)

    def fit(self, rows: np.ndarray, most_components: int, seed: int) -> dict[str, np.ndarray]:
        """See `FittedMethod.fit`."""
        return principal_components(rows, most_components, seed)

    def detector(self, arrays: dict[str, np.ndarray], spec: NetworkSpec) -> Detector:
        """See `FittedMethod.detector`."""
        print(f"PCA: {len(arrays['components'])} components", flush=True)
        return PcaDetector(spec, calibration=None, **arrays)
