"""AE (Schlegl et al. 2019, section 3.1): f-AnoGAN's encoder and generator as an autoencoder, trained on the mean square error.

The paper names neither optimizer nor step size: Adam with its usual moments (0.9, 0.999). The encoder keeps its `bound`. The
restored image is compared in pixels alone.
"""

import keras
import tensorflow as tf

from fanogan_tf import keras_line
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.methods.base import NETWORKS, UPDATES
from fanogan_tf.methods.joint import JointMethod
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.training import losses
from fanogan_tf.training.calls import Training, compiles
from fanogan_tf.training.losses import mean_square
from fanogan_tf.training.optimization import Adam, descend, loss_scaled


class AutoencoderTraining(Training):
    """One train step = one update of encoder and generator together. `fit` on batches (B, H, W, 1) in [-1, 1].

    The loss is the mean over the images of 1/n ||x - G(E(x))||^2; the paper names no other.
    """

    def __init__(self, encoder: keras.Model, generator: keras.Model, *, seed: int):
        super().__init__(name="autoencoder")
        self.encoder = encoder
        self.generator = generator
        self.networks = {"encoder": encoder, "generator": generator}
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {"autoencoder_optimizer": loss_scaled(optimizer, self.encoder)}
        self.optimizers["autoencoder_optimizer"].build(self.trained)

    @property
    def trained(self) -> list[keras_line.Variable]:
        """What the autoencoder's optimizer moves."""
        return [*self.encoder.trainable_variables, *self.generator.trainable_variables]

    def call(self, images):
        return self.generator(self.encoder(images, training=False), training=False)

    def restore(self, images: tf.Tensor, *indices) -> tf.Tensor:
        """G(E(x)) as training has it: batch normalisation by the batch, a stochastic bound's random numbers by `indices`."""
        z = self.encoder(images, training=True, seed=key(self.seed, self.step, *indices))
        return self.generator(z, training=True)

    def train_step(self, images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses.mean_square(images - self.restore(images, 0)))
        norm = descend(self.optimizers["autoencoder_optimizer"], tape, loss, self.trained)
        self.step.assign_add(1)
        return {"loss_ae": loss, "gradient_norm_ae": norm}


class AutoencoderDetector(Detector):
    """A_R = 1/n ||x - G(E(x))||^2: an autoencoder has no critic whose features could be compared (f-AnoGAN, section 3.1)."""

    KIND = "autoencoder"
    NETWORKS = {"encoder": NetworkSpec.encoder, "generator": NetworkSpec.generator}

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


class Autoencoder(JointMethod):
    """The autoencoder."""

    PHASES = ("autoencoder",)
    DETECTORS = (AutoencoderDetector,)
    OPTIONS = (*NETWORKS, "bound", *UPDATES)

    def training(self, spec: NetworkSpec, options: Options) -> AutoencoderTraining:
        """See `JointMethod.training`."""
        keras.utils.set_random_seed(options.seed)
        training = AutoencoderTraining(spec.encoder(), spec.generator(), seed=options.seed)
        training.compile(Adam(options.learning_rate), jit_compile=compiles(options.jit_compile))
        return training

    def detector(self, training: AutoencoderTraining, spec: NetworkSpec, options: Options) -> Detector:
        """See `JointMethod.detector`."""
        return AutoencoderDetector(spec, encoder=training.encoder, generator=training.generator)
