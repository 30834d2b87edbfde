"""Scores without an encoder: z is looked for by gradient descent, image by image (f-AnoGAN, section 3.1, "iterative")."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.mapping import map_to_latent, random_start
from fanogan_tf.detection.scores import anomaly_score, pixel_map
from fanogan_tf.training.losses import mean_square


class IterativeDetector(Detector):
    """A = A_R + kappa A_D of the G(z) that the mapping ends with, from one random z for all images; A is the mapping's loss too.

    SETTINGS: see `mapping.map_to_latent`.
    """

    KIND = "iterative"
    NETWORKS = ("generator", "critic")
    SETTINGS = ("kappa", "steps", "learning_rate", "patience", "seed")

    def start(self, images: tf.Tensor) -> tf.Tensor:
        """The first z: (B, latent_dim)."""
        return random_start(tf.shape(images)[0], self.latent_dim, self.seed)

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure` but the latent distance; latent is the mapping's z, in [-1, 1]."""
        features = self.critic(images)[1]

        def residuals(restored: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return mean_square(images - restored), mean_square(features - self.critic(restored)[1])

        latent = map_to_latent(
            self.generator,
            lambda restored: anomaly_score(*residuals(restored), self.kappa),
            self.start(images),
            steps=self.steps,
            learning_rate=self.learning_rate,
            seed=self.seed,
            patience=self.patience,
        ).z
        restored = self.generator(latent, training=False)
        image_residual, feature_residual = residuals(restored)
        return {
            "score": anomaly_score(image_residual, feature_residual, self.kappa),
            "image_residual": image_residual,
            "feature_residual": feature_residual,
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }


class WarmIterativeDetector(IterativeDetector):
    """The same from where the encoder guesses z to be, cut off at +-1."""

    KIND = "iterative_from_encoder"
    NETWORKS = ("encoder", "generator", "critic")

    def start(self, images: tf.Tensor) -> tf.Tensor:
        return self.encoder(images, training=False)
