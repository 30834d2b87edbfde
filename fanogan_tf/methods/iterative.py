"""Mapping by gradient descent (f-AnoGAN, section 3.1, "iterative"): a WGAN-GP, and an encoder only for a warm start.

Scores without an encoder: z is looked for by gradient descent, image by image (f-AnoGAN, section 3.1, "iterative").
"""

import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.latent_search import map_to_latent, random_start
from fanogan_tf.detection.scoring import anomaly_score, pixel_map
from fanogan_tf.errors import UserError
from fanogan_tf.methods import fanogan
from fanogan_tf.methods.base import calibrate_and_save, check_images, network_spec
from fanogan_tf.methods.gan_phase import check_gan_from, gan_training, restore_gan, train_gan
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.losses import mean_square


class IterativeDetector(Detector):
    """A = A_R + kappa A_D of the G(z) that the mapping ends with, from one random z for all images; A is the mapping's loss too.

    SETTINGS: see `mapping.map_to_latent`.
    """

    KIND = "iterative"
    NETWORKS = {"generator": NetworkSpec.generator, "critic": NetworkSpec.critic}
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
    NETWORKS = {"encoder": NetworkSpec.encoder, "generator": NetworkSpec.generator, "critic": NetworkSpec.critic}

    def start(self, images: tf.Tensor) -> tf.Tensor:
        return self.encoder(images, training=False)


# The encoder, f-AnoGAN's own, is trained only where the mapping starts from it.
PHASES = ("gan", "encoder")


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; too few are held out; what `check_gan_from` says; an encoder is
        asked for that nothing needs; or, where it is needed, what f-AnoGAN's `check` says of it.
    """
    if _warm(options):
        fanogan.check(run, options, splits, phases, overwrite)
        return
    if "gan" not in phases:
        raise UserError(f"--phase=encoder: no encoder is used with --mapping_start={options.mapping_start}; leave --phase out")
    check_images(splits)
    check_gan_from(run, options, splits)


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains the phases asked for, each from where it stopped; after the last one the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = network_spec(options, splits.train.image_shape)
    gan = gan_training(spec, options)
    if "gan" in phases:
        train_gan(gan, run, options, splits)
    if _warm(options) and "encoder" not in phases:
        return
    restore_gan(gan, run, options)
    parts = {
        "generator": gan.generator,
        "critic": gan.critic,
        "kappa": options.kappa,
        "steps": options.mapping_steps,
        "learning_rate": options.mapping_learning_rate,
        "patience": options.mapping_patience,
        "seed": options.seed,
    }
    if _warm(options):
        encoder = fanogan.train_encoder(gan, spec, run, options, splits)
        detector = WarmIterativeDetector(spec, encoder=encoder, **parts)
    else:
        detector = IterativeDetector(spec, **parts)
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long each phase was trained, by its name; without the encoder where there is none."""
    seconds = fanogan.training_seconds(run)
    return seconds if seconds["encoder"] else {"gan": seconds["gan"]}


def _warm(options: Options) -> bool:
    return options.mapping_start == "encoder"
