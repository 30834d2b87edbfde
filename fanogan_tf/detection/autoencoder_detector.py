"""The autoencoder's way of scoring: the restored image, compared in pixels alone."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scores import pixel_map
from fanogan_tf.training.losses import mean_square


class AutoencoderDetector(Detector):
    """A_R = 1/n ||x - G(E(x))||^2: an autoencoder has no critic whose features could be compared (f-AnoGAN, section 3.1)."""

    KIND = "autoencoder"
    NETWORKS = ("encoder", "generator")

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure` but feature_residual; latent_distance, 1/d ||E(x) - E(G(E(x)))||^2, is not in the score."""
        latent = self.encoder(images, training=False)
        restored = self.generator(latent, training=False)
        image_residual = mean_square(images - restored)
        return {
            "score": image_residual,
            "image_residual": image_residual,
            "latent_distance": mean_square(latent - self.encoder(restored, training=False)),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }
