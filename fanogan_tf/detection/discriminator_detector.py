"""AnoGAN's reference P_D (Schlegl et al. 2017, section 3): the discriminator's own output on the image, and no mapping."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.training.logit_losses import against_real


class DiscriminatorDetector(Detector):
    """-log D(x), D(x) the discriminator's probability that x is real; at least 0. It says nothing of where.

    Grows as 1 - D(x) does, so that every ROC curve is the same, and still tells images apart where D(x) rounds to 1.
    """

    KIND = "anogan_p_d"
    NETWORKS = ("critic",)
    RESTORES = False

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The score alone."""
        return {"score": against_real(self.critic(images)[0])}
