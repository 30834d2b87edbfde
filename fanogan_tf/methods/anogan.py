"""AnoGAN (Schlegl et al. 2017) and its references GAN_R and P_D: a DCGAN on normal images, then a mapping by gradient descent."""

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.anogan_detector import AnoganDetector, GanRDetector
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.discriminator_detector import DiscriminatorDetector
from fanogan_tf.errors import UserError
from fanogan_tf.methods.gan import gan_training, restore_gan, train_gan
from fanogan_tf.methods.gan_from import check_gan_from, gan_seconds
from fanogan_tf.methods.recipe import calibrate_and_save, check_images, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

PHASES = ("gan",)


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; too few are held out; there is no encoder to start from; the
        variant needs a discriminator and the critic is none; or what `check_gan_from` says.
    """
    check_images(splits)
    if options.mapping_start != "random":
        raise UserError(f"--mapping_start={options.mapping_start}: anogan trains no encoder; leave --mapping_start out")
    if options.anogan_variant != "anogan" and network_spec(options, splits.train.image_shape).network != "dcgan":
        raise UserError(
            f"--anogan_variant={options.anogan_variant}: needs the probability that an image is real, and a Wasserstein critic "
            "gives none; add --network=dcgan"
        )
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
    detector = _detector(gan, spec, options)
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long the phase was trained, by its name."""
    return {"gan": gan_seconds(run)}


def _detector(gan, spec: NetworkSpec, options: Options) -> Detector:
    if options.anogan_variant == "p_d":
        return DiscriminatorDetector(spec, critic=gan.critic)
    kind = GanRDetector if options.anogan_variant == "gan_r" else AnoganDetector
    return kind(
        spec,
        generator=gan.generator,
        critic=gan.critic,
        anogan_lambda=options.anogan_lambda,
        steps=options.mapping_steps,
        learning_rate=options.mapping_learning_rate,
        patience=options.mapping_patience,
        seed=options.seed,
    )
