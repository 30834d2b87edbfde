"""AdvAE (Schlegl et al. 2019, section 3.1): the autoencoder plus a critic on what it restores; f-AnoGAN's score.

What the papers leave open is said in `training.adversarial_autoencoder`. Both optimizers are those of phase 1 of f-AnoGAN.
"""

import keras

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.encoder_detector import EncoderDetector
from fanogan_tf.errors import UserError
from fanogan_tf.methods.joint import joint_seconds, train_jointly
from fanogan_tf.methods.recipe import adam, calibrate_and_save, check_images, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.adversarial_autoencoder import AdversarialAutoencoderTraining

PHASES = ("autoencoder",)


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; too few are held out; or other networks are asked for.
    """
    check_images(splits)
    network = network_spec(options, splits.train.image_shape).network
    if network != "resnet":
        raise UserError(f"--network={network}: adv_ae's critic is a Wasserstein one; take --network=resnet")


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains from where it stopped; then the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = network_spec(options, splits.train.image_shape)
    training = adversarial_training(spec, options)
    train_jointly(training, spec, run, options, splits, phase=PHASES[0], updates=options.n_critic + 1, sheets={})
    detector = EncoderDetector(spec, **training.networks, kappa=options.kappa)
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long it was trained, by the phase's name."""
    return joint_seconds(run, PHASES[0])


def adversarial_training(spec: NetworkSpec, options: Options) -> AdversarialAutoencoderTraining:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    training = AdversarialAutoencoderTraining(
        spec.encoder(),
        spec.generator(),
        spec.critic(),
        n_critic=options.n_critic,
        penalty_weight=options.gradient_penalty,
        adversarial_weight=options.adversarial_weight,
        seed=options.seed,
    )
    training.compile(*(adam(options, 0.0, 0.9) for _ in range(2)), jit_compile=options.jit_compile)
    return training
