"""f-AnoGAN (Schlegl et al. 2019): a GAN on normal images (WGAN-GP), then an encoder against it, then a calibration.

The encoder's guess of z is restored by the generator and compared with the image in pixels and in the critic's features.
"""

from typing import Any

import keras
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.normality import Hidden, Seen
from fanogan_tf.detection.scoring import anomaly_score, pixel_map
from fanogan_tf.errors import UserError
from fanogan_tf.methods.base import shown, training_feed
from fanogan_tf.methods.gan_phase import GanMethod, gan_step
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import losses, monitoring
from fanogan_tf.training.calls import compiles
from fanogan_tf.training.checkpointing import checkpoints_in, saved_seconds, saved_step
from fanogan_tf.training.encoder import EncoderTraining
from fanogan_tf.training.gan import Dcgan, WganGp
from fanogan_tf.training.loop import Schedule, run_phase
from fanogan_tf.training.losses import mean_square

# Names of the options that the encoder's training reads.
ENCODER = ("bound", "encoder_loss", "denoise", "encoder_iterations", "encoder_learning_rate")


class EncoderDetector(Detector):
    """A = A_R + kappa A_D (f-AnoGAN, eq. 4), of G(E(x)). kappa 0 scores by A_R alone, as the paper does for izi and ziz."""

    KIND = "encoder"
    NETWORKS = {"encoder": NetworkSpec.encoder, "generator": NetworkSpec.generator, "critic": NetworkSpec.critic}
    SETTINGS = ("kappa",)

    def compute(self, images: tf.Tensor) -> dict[str, Any]:
        """All of `Detector.measure`; latent_distance is 1/d ||E(x) - E(G(E(x)))||^2."""
        latent = self.encoder(images, training=False)
        restored = self.generator(latent, training=False)
        # One pass over both halves: the same values, better filled kernels.
        seen, seen_again = self.look(tf.concat([images, restored], axis=0), tf.tile(latent, [2, 1])).halves()
        image_residual = mean_square(images - restored)
        feature_residual = mean_square(seen.features - seen_again.features)
        return {
            "score": anomaly_score(image_residual, feature_residual, self.kappa),
            "image_residual": image_residual,
            "feature_residual": feature_residual,
            "latent_distance": mean_square(latent - self.encoder(restored, training=False)),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
            "seen": Seen(seen, seen_again),
        }

    def look(self, images: tf.Tensor, latent: tf.Tensor | None = None) -> Hidden:
        """What the critic makes of images that have, or were restored from, the codes `latent`."""
        return Hidden(*self.critic.hidden(images))


class Fanogan(GanMethod):
    """f-AnoGAN."""

    PHASES = ("gan", "encoder")
    DETECTORS = (EncoderDetector,)
    OPTIONS = (*GanMethod.OPTIONS, *ENCODER, "kappa")

    def check_member(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `GanMethod.check_member`.

        Raises:
          UserError: what `GanMethod.check_member` raises; the encoder's turn has come but the GAN is not finished; or the GAN is
            to be trained on under an encoder that was trained against it.
        """
        super().check_member(run, options, splits, phases, overwrite)
        check_encoder(run, options, phases, overwrite)

    def detector(self, gan: WganGp | Dcgan, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> Detector:
        """See `GanMethod.detector`."""
        encoder = train_encoder(gan, spec, run, options, splits)
        return EncoderDetector(spec, encoder=encoder, generator=gan.generator, critic=gan.critic, kappa=options.kappa)

    def member_seconds(self, run: RunDirectory) -> dict[str, float]:
        """See `GanMethod.member_seconds`."""
        return super().member_seconds(run) | {"encoder": saved_seconds(checkpoints_in(run.encoder))}


def check_encoder(run: RunDirectory, options: Options, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against training the encoder in `run.encoder`, before anything is changed.

    Raises:
      UserError: the GAN is not finished, or is to be trained on under its encoder.
    """
    trained = gan_step(run, options) if options.gan_from or not overwrite else 0
    if "gan" not in phases and trained < options.iterations:
        raise UserError(
            f"--phase=encoder: the GAN in {run.gan} is at iteration {trained} of {options.iterations}; run --phase=gan first"
        )
    # Another run's GAN may have been trained on since: which one the encoder knows, this run's options tell.
    known = run.kept_options().iterations if options.gan_from else trained
    if not overwrite and saved_step(checkpoints_in(run.encoder)) and known != options.iterations:
        raise UserError(
            f"--iterations={options.iterations}: the encoder in {run.encoder} was trained against the GAN at iteration "
            f"{known}; to train the GAN differently, take another --run_dir or --overwrite"
        )


def encoder_training(gan: WganGp | Dcgan, spec: NetworkSpec, options: Options) -> EncoderTraining:
    """Phase 2, compiled, against the networks of `gan`, which it freezes."""
    # Seeded again: the encoder's first weights must not depend on whether the GAN was trained in this process.
    keras.utils.set_random_seed(options.seed + 1)
    training = EncoderTraining(
        spec.encoder(),
        gan.generator,
        gan.critic,
        latent_dim=options.latent_dim,
        weights=losses.encoder_weights(options.encoder_loss, options.kappa),
        denoise=options.denoise,
        seed=options.seed,
        prior=spec.prior,
    )
    # TensorFlow 1's epsilon, as the authors' code has it: Keras' 1e-7 exceeds a tenth of the mean squares at the paper's size.
    optimizer = keras.optimizers.RMSprop(options.encoder_learning_rate, rho=0.9, epsilon=1e-10)
    training.compile(optimizer, jit_compile=compiles(options.jit_compile))
    return training


def train_encoder(gan: WganGp | Dcgan, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> keras.Model:
    """Trains the encoder against the networks of `gan` in `run.encoder`, from where it stopped; returns it."""
    training = encoder_training(gan, spec, options)
    encoder = training.encoder
    some = shown(splits, spec)
    images = tf.TensorSpec((None, *spec.image_shape), tf.float32, name="image")
    run_phase(
        training,
        training_feed(splits.train, options.batch_size, options, of_encoder=True),
        Schedule.of(options, options.encoder_iterations),
        name="encoder",
        folder=run.encoder,
        sheets={
            "restored": monitoring.restored(lambda images: gan.generator(encoder(images, training=False), training=False), some),
            "interpolation": monitoring.interpolated_encodings(encoder, gan.generator, some),
        },
        graph=tf.function(training.call, autograph=False).get_concrete_function(images).graph,
    )
    return encoder
