"""f-AnoGAN's way of scoring: the encoder's guess, restored by the generator, compared in pixels and in the critic's features."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scores import anomaly_score, pixel_map
from fanogan_tf.training.losses import mean_square


class EncoderDetector(Detector):
    """A = A_R + kappa A_D (f-AnoGAN, eq. 8), of G(E(x)). kappa 0 scores by A_R alone, as the paper does for izi and ziz."""

    KIND = "encoder"
    NETWORKS = ("encoder", "generator", "critic")
    SETTINGS = ("kappa",)

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure`; latent_distance is 1/d ||E(x) - E(G(E(x)))||^2."""
        latent = self.encoder(images, training=False)
        restored = self.generator(latent, training=False)
        # One pass over both halves: the same values, better filled kernels.
        features, restored_features = tf.split(self.features(tf.concat([images, restored], axis=0), tf.tile(latent, [2, 1])), 2)
        image_residual = mean_square(images - restored)
        feature_residual = mean_square(features - restored_features)
        return {
            "score": anomaly_score(image_residual, feature_residual, self.kappa),
            "image_residual": image_residual,
            "feature_residual": feature_residual,
            "latent_distance": mean_square(latent - self.encoder(restored, training=False)),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }

    def features(self, images: tf.Tensor, latent: tf.Tensor) -> tf.Tensor:
        """f of images that have, or were restored from, the codes `latent`: (B, n)."""
        return self.critic(images)[1]
