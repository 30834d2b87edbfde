"""Phase 2: the encoder, trained against the frozen generator and critic (f-AnoGAN, section 2.2)."""

import keras
import tensorflow as tf

from fanogan_tf.distributed import replicas
from fanogan_tf.networks import latent
from fanogan_tf.networks.latent import key
from fanogan_tf.random_streams import EncoderDraw
from fanogan_tf.training import losses
from fanogan_tf.training.calls import Training
from fanogan_tf.training.optimization import descend, loss_scaled

DENOISING_SHARE = 0.2  # of the input pixels, f-AnoGAN A.1


class EncoderTraining(Training):
    """One train step = one encoder update. `fit` on batches (B, H, W, 1) in [-1, 1].

    Generator and critic are used in inference mode and never change.
    """

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        critic: keras.Model,
        *,
        latent_dim: int,
        weights: dict[str, float],
        denoise: bool,
        seed: int,
        prior: str = "normal",
    ):
        """`weights`: the loss terms in use and their weights, see `losses.encoder_weights`.

        `prior`: what the generator's z is drawn from, see `latent.draw`.
        """
        super().__init__(name="encoder_training")
        self.encoder = encoder
        self.generator = generator
        self.critic = critic
        generator.trainable = False
        critic.trainable = False
        self.networks = {"encoder": encoder}
        self.latent_dim = latent_dim
        self.term_weights = weights
        self.denoise = denoise
        self.seed = seed
        self.prior = prior
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {"encoder_optimizer": loss_scaled(optimizer, self.encoder)}
        self.optimizers["encoder_optimizer"].build(self.encoder.trainable_variables)

    def call(self, images):
        return self.generator(self.encoder(images, training=False), training=False)

    def train_step(self, images):
        with tf.GradientTape() as tape:
            terms = self._terms(images)
            loss = tf.add_n([weight * terms[name] for name, weight in self.term_weights.items()])
        norm = descend(self.optimizers["encoder_optimizer"], tape, loss, self.encoder.trainable_variables)
        self.step.assign_add(1)
        return {"loss_e": loss, **terms, "gradient_norm_e": norm}

    def _terms(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The loss terms in use, each a mean over the batch."""
        terms = {}
        if "izi" in self.term_weights:
            z = self.encoder(self._noisy(images), training=True, seed=key(self.seed, self.step, EncoderDraw.CODE))
            restored = self.generator(z, training=False)
            terms["izi"] = tf.reduce_mean(losses.mean_square(images - restored))
        if "feature" in self.term_weights:
            difference = self.critic(images)[1] - self.critic(restored)[1]
            terms["feature"] = tf.reduce_mean(losses.mean_square(difference))
        if "ziz" in self.term_weights:
            z = latent.draw(self.prior, [tf.shape(images)[0], self.latent_dim], key(self.seed, self.step, EncoderDraw.LATENT))
            generated = self.generator(z, training=False)
            recovered = self.encoder(
                self._noisy(generated), training=True, seed=key(self.seed, self.step, EncoderDraw.RECOVERED_CODE)
            )
            terms["ziz"] = tf.reduce_mean(losses.mean_square(z - recovered))
        return terms

    def _noisy(self, images: tf.Tensor) -> tf.Tensor:
        """The encoder's input: with `denoise`, one pixel in five is 0; the targets stay clean."""
        if not self.denoise:
            return images
        shape = [tf.shape(images)[0], *images.shape[1:]]
        drawn = replicas.drawn(tf.random.stateless_uniform, shape, key(self.seed, self.step, EncoderDraw.DROPPED_PIXELS))
        return tf.where(drawn >= DENOISING_SHARE, images, 0.0)
