"""GANomaly's way of scoring: how far the encoding of what was restored is from the encoding of the image."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scores import pixel_map
from fanogan_tf.training.losses import mean_square


class GanomalyDetector(Detector):
    """A = ||z - z'||_2, z = E1(x) and z' = E2(De(z)).

    So the chest X-ray thesis (eq. 4.5); the authors' code takes 1/d ||z - z'||^2, which ranks images the same.
    """

    KIND = "ganomaly"
    NETWORKS = ("first_encoder", "decoder", "second_encoder")

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure` but feature_residual; latent_distance is 1/d ||z - z'||^2, latent z."""
        latent = self.first_encoder(images, training=False)
        restored = self.decoder(latent, training=False)
        difference = latent - self.second_encoder(restored, training=False)
        return {
            "score": tf.norm(difference, axis=1),
            "image_residual": mean_square(images - restored),
            "latent_distance": mean_square(difference),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }
