"""The plainest way to restore an image: its projection on the principal components of normal ones."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scores import pixel_map
from fanogan_tf.training.losses import mean_square


class PcaDetector(Detector):
    """A = A_R = 1/n ||x - x'||^2, x' the image in the span of the components.

    `mean` (pixels,) and `components` (k, pixels): see `principal_components`.
    """

    KIND = "pca"
    NETWORKS = ()
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
