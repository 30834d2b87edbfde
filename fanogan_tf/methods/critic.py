"""The critic's own output (f-AnoGAN, section 3.1, A_D): a WGAN-GP on normal images, then its mean value on them.

The trained critic's own output as a score (f-AnoGAN, section 3.1, eq. 6 and 7).
"""

import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import batch_size_for
from fanogan_tf.methods.base import calibrate_and_save, check_images, network_spec
from fanogan_tf.methods.gan_phase import check_gan_from, gan_seconds, gan_training, restore_gan, train_gan
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


class CriticDetector(Detector):
    """A_D = m - D(x), m the mean of D over training images; it may be negative, and says nothing of where.

    `mean`: m.
    """

    KIND = "critic"
    NETWORKS = {"critic": NetworkSpec.critic}
    SETTINGS = ("mean",)
    RESTORES = False

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The score alone."""
        return {"score": self.mean - self.critic(images)[0]}


PHASES = ("gan",)

MEAN_OVER = 32_000  # training images, the paper's number


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; too few are held out; or what `check_gan_from` says.
    """
    check_images(splits)
    check_gan_from(run, options, splits)


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains the GAN from where it stopped; then the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = network_spec(options, splits.train.image_shape)
    gan = gan_training(spec, options)
    train_gan(gan, run, options, splits)
    restore_gan(gan, run, options)
    some = chosen(splits.train, options.seed)
    values = critic_values(spec, gan.critic, splits.train, some, batch_size_for(options.score_batch_size))
    detector = CriticDetector(spec, critic=gan.critic, mean=float(np.mean(values)))
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long the phase was trained, by its name."""
    return {"gan": gan_seconds(run)}


def chosen(images: ImageSet, seed: int, most: int = MEAN_OVER) -> np.ndarray:
    """Indices, sorted, of `most` images at random; of all where there are fewer."""
    return np.sort(np.random.default_rng([seed, 2]).permutation(len(images))[:most])


def critic_values(spec, critic, images: ImageSet, indices: np.ndarray, batch_size: int) -> np.ndarray:
    """D(x) of the images at `indices`: (n,) float64."""
    plain = CriticDetector(spec, critic=critic, mean=0.0)
    parts = [indices[first : first + batch_size] for first in range(0, len(indices), batch_size)]
    return -np.concatenate([plain.measure(images.float_images(part))["score"] for part in parts]).astype(np.float64)
