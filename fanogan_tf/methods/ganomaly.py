"""GANomaly (Akcay et al. 2018), as the chest X-ray thesis uses it: latent_dim 100, dim 64, Adam 2e-4 with beta_1 0.5."""

import keras

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.ganomaly_detector import GanomalyDetector
from fanogan_tf.methods.joint import check, joint_seconds, train_jointly
from fanogan_tf.methods.recipe import adam, calibrate_and_save, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.ganomaly import Ganomaly
from fanogan_tf.training.ganomaly_losses import Weights

__all__ = ["PHASES", "check", "ganomaly_training", "train", "training_seconds"]

PHASES = ("ganomaly",)


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains from where it stopped; then the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = network_spec(options, splits.train.image_shape)
    training = ganomaly_training(spec, options)
    train_jointly(training, spec, run, options, splits, phase=PHASES[0], updates=1, sheets={})
    detector = GanomalyDetector(spec, **{name: training.networks[name] for name in GanomalyDetector.NETWORKS})
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long it was trained, by the phase's name."""
    return joint_seconds(run, PHASES[0])


def ganomaly_training(spec: NetworkSpec, options: Options) -> Ganomaly:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    training = Ganomaly(
        spec.first_encoder(),
        spec.decoder(),
        spec.second_encoder(),
        spec.discriminator(),
        weights=Weights(options.ganomaly_adversarial, options.ganomaly_contextual, options.ganomaly_encoding),
        seed=options.seed,
    )
    training.compile(*(adam(options, 0.5) for _ in range(2)), jit_compile=options.jit_compile)
    return training
