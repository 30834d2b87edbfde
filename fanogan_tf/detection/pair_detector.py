"""ALI's way of scoring: f-AnoGAN's, with the features of a discriminator of pairs."""

import tensorflow as tf

from fanogan_tf.detection.encoder_detector import EncoderDetector


class PairDetector(EncoderDetector):
    """A = A_R + kappa A_D of G(E(x)), with the features of D(x, E(x)) against D(G(E(x)), E(x)) (f-AnoGAN, section 3.1)."""

    KIND = "pair"
    NETWORKS = ("encoder", "generator", "pair_discriminator")

    def features(self, images: tf.Tensor, latent: tf.Tensor) -> tf.Tensor:
        """f of the pairs: (B, n)."""
        return self.pair_discriminator(images, latent)[1]
