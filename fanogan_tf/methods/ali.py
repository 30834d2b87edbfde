"""ALI, also known as BiGAN (Schlegl et al. 2019, section 3.1): encoder and generator against a discriminator of pairs.

The f-AnoGAN paper trains ALI "in the originally proposed style", with networks of its own. Here encoder, generator and the
discriminator's image half are f-AnoGAN's, so that what differs is the training alone. Adam 1e-4, beta_1 0.5 (ALI). The score is
f-AnoGAN's, with the features of the pair discriminator.
"""

import dataclasses

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf import keras_line
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.normality import Hidden
from fanogan_tf.methods.base import NETWORKS, SCORE, UPDATES, adam
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.methods.joint import JointMethod
from fanogan_tf.networks import latent
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.resnet import Body, flat_features
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.random_streams import PairDraw
from fanogan_tf.training import losses, monitoring
from fanogan_tf.training.calls import Training, compiles
from fanogan_tf.training.monitoring import Sheet
from fanogan_tf.training.optimization import descend, loss_scaled

LEAK = 0.2  # slope of the leaky relu below 0


class PairDiscriminator(keras.Model):
    """D and its features: images (B, H, W, 1) and z (B, latent_dim) -> (logits (B,), f(x, z) (B, 16 dim)), all float32.

    A logit is high for (x, E(x)), low for (G(z), z). The image goes through the critic's body, z through a dense layer; f is the
    dense layer above both, the last before the logit. That is how Zenati et al. 2018 detect anomalies with a BiGAN; their widths,
    512 for z and 1,024 for f, are these with dim 64. Their dropout is left out.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int, folded: bool = True):
        super().__init__(name="pair_discriminator")
        # Layer normalisation, as in the critic: batch normalisation would tell it which kind is which by the batch.
        self.body = Body(image_shape, dim, "layer", folded)
        self.dense_z = layers.Dense(8 * dim)
        self.dense_pair = layers.Dense(16 * dim)
        self.dense = layers.Dense(1)

    def call(self, images, z):
        return self.hidden(images, z)[:2]

    def hidden(self, images, z):
        """What `call` returns, and the maps of the image half's blocks, from the largest to the smallest: (B, h, w, c) each."""
        maps = self.body(images)
        parts = [flat_features(maps), self.dense_z(z)]
        joined = tf.nn.leaky_relu(tf.concat(parts, axis=-1), LEAK)
        features = tf.nn.leaky_relu(self.dense_pair(joined), LEAK)
        logits = tf.cast(self.dense(features)[:, 0], tf.float32)
        return logits, tf.cast(features, tf.float32), [tf.cast(one, tf.float32) for one in maps]


def discriminator_loss(encoded: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean -log D(x, E(x)) + mean -log(1 - D(G(z), z)), of logits (B,); 2 log 2 while D knows nothing."""
    return losses.discriminator_loss(encoded, generated)


def encoder_generator_loss(encoded: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean -log(1 - D(x, E(x))) + mean -log D(G(z), z): the discriminator's, with the two kinds taken for each other.

    It does not saturate while D tells them easily, as the negative of D's loss would.
    """
    return losses.discriminator_loss(generated, encoded)


class Ali(Training):
    """One train step = one update of the discriminator and one of encoder and generator, both from the networks as they were.

    `fit` on batches (B, H, W, 1) in [-1, 1]. (ALI, algorithm 1.)
    """

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        pair_discriminator: keras.Model,
        *,
        latent_dim: int,
        seed: int,
        prior: str = "normal",
    ):
        """`prior`: what z is drawn from, see `latent.draw`."""
        super().__init__(name="ali")
        self.encoder = encoder
        self.generator = generator
        self.pair_discriminator = pair_discriminator
        self.networks = {"encoder": encoder, "generator": generator, "pair_discriminator": pair_discriminator}
        self.latent_dim = latent_dim
        self.seed = seed
        self.prior = prior
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, encoder_generator_optimizer, discriminator_optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {
            "encoder_generator_optimizer": loss_scaled(encoder_generator_optimizer, self.encoder),
            "discriminator_optimizer": loss_scaled(discriminator_optimizer, self.pair_discriminator),
        }
        self.optimizers["encoder_generator_optimizer"].build(self.encoder_and_generator)
        self.optimizers["discriminator_optimizer"].build(self.pair_discriminator.trainable_variables)

    @property
    def encoder_and_generator(self) -> list[keras_line.Variable]:
        """What these two, updated as one, consist of."""
        return [*self.encoder.trainable_variables, *self.generator.trainable_variables]

    def call(self, images):
        z = self.encoder(images, training=False)
        return self.pair_discriminator(self.generator(z, training=False), z)[0]

    def train_step(self, images):
        z = latent.draw(self.prior, [tf.shape(images)[0], self.latent_dim], key(self.seed, self.step, PairDraw.LATENT))
        with tf.GradientTape() as joint_tape, tf.GradientTape() as discriminator_tape:
            codes = self.encoder(images, training=True, seed=key(self.seed, self.step, PairDraw.CODE))
            fake = self.generator(z, training=True)
            # Both kinds in one pass: the discriminator normalises each pair by itself, so neighbours change nothing.
            logits, _ = self.pair_discriminator(tf.concat([images, fake], axis=0), tf.concat([codes, z], axis=0))
            encoded, generated = tf.split(logits, 2)
            loss_d = discriminator_loss(encoded, generated)
            loss_eg = encoder_generator_loss(encoded, generated)
        discriminator, joint = self.optimizers["discriminator_optimizer"], self.optimizers["encoder_generator_optimizer"]
        norm_d = descend(discriminator, discriminator_tape, loss_d, self.pair_discriminator.trainable_variables)
        norm_eg = descend(joint, joint_tape, loss_eg, self.encoder_and_generator)
        self.step.assign_add(1)
        return {
            "loss_d": loss_d,
            "loss_eg": loss_eg,
            "discriminator_encoded": tf.reduce_mean(tf.sigmoid(encoded)),
            "discriminator_generated": tf.reduce_mean(tf.sigmoid(generated)),
            "gradient_norm_d": norm_d,
            "gradient_norm_eg": norm_eg,
        }


def pair_discriminator(spec: NetworkSpec) -> PairDiscriminator:
    """ALI's, built: images, z -> (logits (B,), features (B, 16 dim))."""
    return spec.built(lambda: PairDiscriminator(spec.image_shape, spec.dim, spec.folded), spec.image_shape, (spec.latent_dim,))


class PairDetector(EncoderDetector):
    """A = A_R + kappa A_D of G(E(x)), with the features of D(x, E(x)) against D(G(E(x)), E(x)) (f-AnoGAN, section 3.1)."""

    KIND = "pair"
    NETWORKS = {"encoder": NetworkSpec.encoder, "generator": NetworkSpec.generator, "pair_discriminator": pair_discriminator}

    def look(self, images: tf.Tensor, latent: tf.Tensor | None = None) -> Hidden:
        """What the discriminator makes of pairs of images and `latent`, their own codes without it."""
        codes = self.encoder(images, training=False) if latent is None else latent
        return Hidden(*self.pair_discriminator.hidden(images, codes))


class BidirectionalGan(JointMethod):
    """ALI, also known as BiGAN."""

    PHASES = ("ali",)
    DETECTORS = (PairDetector,)
    OPTIONS = (*NETWORKS, *UPDATES, "kappa", *SCORE)

    def spec(self, options: Options, image_shape: tuple[int, int, int]) -> NetworkSpec:
        """The networks that `options` ask for, but for `bound`: E's codes must be able to match z ~ N(0, I)."""
        return dataclasses.replace(super().spec(options, image_shape), bound="linear")

    def training(self, spec: NetworkSpec, options: Options) -> Ali:
        """See `JointMethod.training`."""
        keras.utils.set_random_seed(options.seed)
        training = Ali(
            spec.encoder(),
            spec.generator(),
            pair_discriminator(spec),
            latent_dim=options.latent_dim,
            seed=options.seed,
            prior=spec.prior,
        )
        training.compile(*(adam(options, 0.5) for _ in range(2)), jit_compile=compiles(options.jit_compile))
        return training

    def detector(self, training: Ali, spec: NetworkSpec, options: Options) -> Detector:
        """See `JointMethod.detector`."""
        return PairDetector(spec, **training.networks, kappa=options.kappa)

    def sheets(self, training: Ali, spec: NetworkSpec, options: Options) -> dict[str, Sheet]:
        """See `JointMethod.sheets`."""
        return {"samples": monitoring.generated(training.generator, options.latent_dim, options.seed, spec.prior)}
