"""ALI, also known as BiGAN (Schlegl et al. 2019, section 3.1): encoder and generator against a discriminator of pairs.

The f-AnoGAN paper trains ALI "in the originally proposed style", with networks of its own. Here encoder, generator and the
discriminator's image half are f-AnoGAN's, so that what differs is the training alone. Adam 1e-4, beta_1 0.5 (ALI).
"""

import dataclasses

import keras

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.pair_detector import PairDetector
from fanogan_tf.methods.joint import check, joint_seconds, train_jointly
from fanogan_tf.methods.recipe import adam, calibrate_and_save, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import samples
from fanogan_tf.training.ali import Ali

__all__ = ["PHASES", "ali_spec", "ali_training", "check", "train", "training_seconds"]

PHASES = ("ali",)


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains from where it stopped; then the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = ali_spec(options, splits.train.image_shape)
    training = ali_training(spec, options)
    sheets = {"samples": samples.generated(training.generator, options.latent_dim, options.seed, spec.prior)}
    train_jointly(training, spec, run, options, splits, phase=PHASES[0], updates=1, sheets=sheets)
    detector = PairDetector(spec, **training.networks, kappa=options.kappa)
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long it was trained, by the phase's name."""
    return joint_seconds(run, PHASES[0])


def ali_spec(options: Options, image_shape: tuple[int, int, int]) -> NetworkSpec:
    """The networks that `options` ask for, but for `bound`: E's codes must be able to match z ~ N(0, I)."""
    return dataclasses.replace(network_spec(options, image_shape), bound="linear")


def ali_training(spec: NetworkSpec, options: Options) -> Ali:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    training = Ali(
        spec.encoder(),
        spec.generator(),
        spec.pair_discriminator(),
        latent_dim=options.latent_dim,
        seed=options.seed,
        prior=spec.prior,
    )
    training.compile(*(adam(options, 0.5) for _ in range(2)), jit_compile=options.jit_compile)
    return training
