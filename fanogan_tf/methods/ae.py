"""AE (Schlegl et al. 2019, section 3.1): f-AnoGAN's encoder and generator as an autoencoder, trained on the mean square error.

The paper names neither optimizer nor step size: Adam with its usual moments (0.9, 0.999). The encoder keeps its `bound`.
"""

import keras

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.autoencoder_detector import AutoencoderDetector
from fanogan_tf.methods.joint import check, joint_seconds, train_jointly
from fanogan_tf.methods.recipe import calibrate_and_save, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.autoencoder import AutoencoderTraining

__all__ = ["PHASES", "autoencoder_training", "check", "train", "training_seconds"]

PHASES = ("autoencoder",)


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains from where it stopped; then the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = network_spec(options, splits.train.image_shape)
    training = autoencoder_training(spec, options)
    train_jointly(training, spec, run, options, splits, phase=PHASES[0], updates=1, sheets={})
    detector = AutoencoderDetector(spec, encoder=training.encoder, generator=training.generator)
    calibrate_and_save(detector, run, options, splits)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long it was trained, by the phase's name."""
    return joint_seconds(run, PHASES[0])


def autoencoder_training(spec: NetworkSpec, options: Options) -> AutoencoderTraining:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    training = AutoencoderTraining(spec.encoder(), spec.generator(), seed=options.seed)
    training.compile(keras.optimizers.Adam(options.learning_rate), jit_compile=options.jit_compile)
    return training
