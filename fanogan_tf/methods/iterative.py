"""Mapping by gradient descent (f-AnoGAN, section 3.1, "iterative"): a WGAN-GP, and an encoder only for a warm start."""

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.iterative_detector import IterativeDetector, WarmIterativeDetector
from fanogan_tf.errors import UserError
from fanogan_tf.methods import fanogan
from fanogan_tf.methods.gan import gan_training, restore_gan, train_gan
from fanogan_tf.methods.gan_from import check_gan_from
from fanogan_tf.methods.recipe import calibrate_and_save, check_images, network_spec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

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
