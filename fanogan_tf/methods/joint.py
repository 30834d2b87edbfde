"""What ae, adv_ae, ali and ganomaly share: encoder and generator trained together, in one phase."""

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.methods.base import check_images
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import monitoring
from fanogan_tf.training.checkpointing import saved_seconds
from fanogan_tf.training.loop import run_phase
from fanogan_tf.training.monitoring import Sheet


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; or too few are held out.
    """
    check_images(splits)


def train_jointly(
    training: keras.Model,
    spec: NetworkSpec,
    run: RunDirectory,
    options: Options,
    splits: Splits,
    *,
    phase: str,
    updates: int,
    sheets: dict[str, Sheet],
) -> None:
    """Trains `training`, which has `encoder` and `generator`, in the run's folder for `phase`, from where it stopped.

    Args:
      training: compiled.
      spec: of its networks.
      run, options, splits: as a method's `train` gets them.
      phase: one of the method's.
      updates: batches of images that one of its steps takes.
      sheets: drawn beside those of restored images.

    Raises:
      UserError: what `run_phase` raises.
    """
    some = splits.validation.float_images(np.arange(min(16, len(splits.validation)) // 2 * 2))
    images = tf.TensorSpec((None, *spec.image_shape), tf.float32, name="image")
    run_phase(
        training,
        lambda start: splits.train.training_batches(updates * options.batch_size, 2 * options.seed, start, options.random_flip),
        name=phase,
        folder=run.phase(phase),
        iterations=options.iterations,
        sheets={
            "restored": monitoring.restored(training.encoder, training.generator, some),
            "interpolation": monitoring.interpolated_encodings(training.encoder, training.generator, some),
            **sheets,
        },
        graph=tf.function(training.call).get_concrete_function(images).graph,
        checkpoint_every=options.checkpoint_every,
        log_every=options.log_every,
        sample_every=options.sample_every,
        turns=updates,
    )


def joint_seconds(run: RunDirectory, phase: str) -> dict[str, float]:
    """How long `phase` was trained, by its name."""
    return {phase: saved_seconds(run.phase(phase) / "checkpoints")}
