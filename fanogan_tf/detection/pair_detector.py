"""ALI's way of scoring: the restored image, compared in pixels and in the features of a discriminator of pairs."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scores import anomaly_score, pixel_map
from fanogan_tf.training.losses import mean_square


class PairDetector(Detector):
    """A = A_R + kappa A_D of G(E(x)), with the features of D(x, E(x)) against D(G(E(x)), E(x)) (f-AnoGAN, section 3.1)."""

    KIND = "pair"
    NETWORKS = ("encoder", "generator", "pair_discriminator")
    SETTINGS = ("kappa",)

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure`; latent_distance is 1/d ||E(x) - E(G(E(x)))||^2."""
        latent = self.encoder(images, training=False)
        restored = self.generator(latent, training=False)
        # One pass over both halves: the same values, better filled kernels.
        both = self.pair_discriminator(tf.concat([images, restored], axis=0), tf.concat([latent, latent], axis=0))
        features, restored_features = tf.split(both[1], 2)
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
