"""ALI, also known as BiGAN (Schlegl et al. 2019, section 3.1): encoder and generator against a discriminator of pairs.

The f-AnoGAN paper trains ALI "in the originally proposed style", with networks of its own. Here encoder, generator and the
discriminator's image half are f-AnoGAN's, so that what differs is the training alone. Adam 1e-4, beta_1 0.5 (ALI).
"""

import dataclasses

import keras

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.pair_detector import PairDetector
from fanogan_tf.methods.joint import joint_seconds, train_jointly
from fanogan_tf.methods.recipe import calibrate_detector, check_images, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import samples
from fanogan_tf.training.ali import Ali

PHASES = ("ali",)


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; or too few are held out.
    """
    check_images(splits)


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
    calibrate_detector(detector, options, splits)
    detector.save(run.detector)


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
    training.compile(_adam(options), _adam(options), jit_compile=options.jit_compile)
    return training


def _adam(options: Options) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(options.learning_rate, beta_1=0.5)
