"""The methods of one phase: encoder and generator trained together."""

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.methods.base import Method, calibrate_and_save, check_images, network_spec, shown, training_feed
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import monitoring
from fanogan_tf.training.checkpointing import checkpoints_in, saved_seconds
from fanogan_tf.training.loop import Schedule, run_phase
from fanogan_tf.training.monitoring import Sheet


class JointMethod(Method):
    """A method that trains all its networks in its only phase.

    Attributes:
      TRAINED_ON: what it takes of each training image: `image`, and perhaps `region`.
    """

    TRAINED_ON: tuple[str, ...] = ("image",)

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `Method.check`.

        Raises:
          UserError: the networks cannot make images of that size; or too few are held out.
        """
        check_images(splits)

    def train(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...]) -> None:
        """See `Method.train`."""
        spec = self.spec(options, splits.train.image_shape)
        training = self.training(spec, options)
        self.look_at(training, splits, options)
        self._train(training, spec, run, options, splits)
        calibrate_and_save([self.detector(training, spec, options)], run, options, splits)

    def training_seconds(self, run: RunDirectory) -> dict[str, float]:
        """See `Method.training_seconds`."""
        (phase,) = self.PHASES
        return {phase: saved_seconds(checkpoints_in(run.phase(phase)))}

    def spec(self, options: Options, image_shape: tuple[int, int, int]) -> NetworkSpec:
        """The networks that `options` ask for, for images (H, W, 1)."""
        return network_spec(options, image_shape)

    def training(self, spec: NetworkSpec, options: Options) -> keras.Model:
        """The training, compiled, with the first weights of `options.seed`; has `networks`, and what `restored` asks of it."""
        raise NotImplementedError

    def look_at(self, training: keras.Model, splits: Splits, options: Options) -> None:
        """Gives the training what it has to know of the images before its first step; most need nothing."""

    def detector(self, training: keras.Model, spec: NetworkSpec, options: Options) -> Detector:
        """Makes the detector, not yet calibrated, of a finished training."""
        raise NotImplementedError

    def turns(self, options: Options) -> int:
        """The number of batches that one step takes."""
        return 1

    def restored(self, training: keras.Model, some: np.ndarray) -> dict[str, Sheet]:
        """Sheets of the held-out images `some` (n, H, W, 1) restored, and of images between their codes, by name."""
        encoder, generator = training.encoder, training.generator
        return {
            "restored": monitoring.restored(lambda images: generator(encoder(images, training=False), training=False), some),
            "interpolation": monitoring.interpolated_encodings(encoder, generator, some),
        }

    def sheets(self, training: keras.Model, spec: NetworkSpec, options: Options) -> dict[str, Sheet]:
        """Sheets to draw beside those of restored images, by name."""
        return {}

    def _train(self, training: keras.Model, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> None:
        (phase,) = self.PHASES
        turns = self.turns(options)
        some = shown(splits, spec)
        images = tf.TensorSpec((None, *spec.image_shape), tf.float32, name="image")
        run_phase(
            training,
            training_feed(splits.train, turns * options.batch_size, options, inputs=self.TRAINED_ON),
            Schedule.of(options, options.iterations),
            name=phase,
            folder=run.phase(phase),
            sheets={
                **self.restored(training, some),
                **self.sheets(training, spec, options),
            },
            graph=tf.function(training.call, autograph=False).get_concrete_function(images).graph,
            turns=turns,
        )
