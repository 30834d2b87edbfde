"""The trained critic's own output as a score (f-AnoGAN, section 3.1, eq. 6 and 7)."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector


class CriticDetector(Detector):
    """A_D = m - D(x), m the mean of D over training images; it may be negative, and says nothing of where.

    `mean`: m.
    """

    KIND = "critic"
    NETWORKS = ("critic",)
    SETTINGS = ("mean",)
    RESTORES = False

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The score alone."""
        return {"score": self.mean - self.critic(images)[0]}
