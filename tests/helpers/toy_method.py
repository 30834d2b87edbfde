"""A method in one file: what the tests add by registering it, as a user would in `METHODS`."""

import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.methods.base import Method, calibrate_and_save, check_held_out, network_spec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.losses import mean_square


class MeanImageDetector(Detector):
    """A = A_R: how far an image is from the mean of the training images."""

    KIND = "mean_image"
    NETWORKS = {}
    ARRAYS = ("mean",)

    def compute(self, images):
        restored = tf.zeros_like(images) + self.mean
        score = mean_square(images - restored)
        return {"score": score, "image_residual": score, "reconstruction": restored, "residual": pixel_map(images, restored)}


class MeanImage(Method):
    """The mean of `fit_images` training images."""

    PHASES = ("mean",)
    DETECTORS = (MeanImageDetector,)
    OPTIONS = ("fit_images",)

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        check_held_out(splits)

    def train(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...]) -> None:
        some = splits.train.float_images(np.arange(min(options.fit_images, len(splits.train))))
        detector = MeanImageDetector(network_spec(options, splits.train.image_shape), mean=some.mean(axis=0))
        calibrate_and_save([detector], run, options, splits)

    def training_seconds(self, run: RunDirectory) -> dict[str, float]:
        return {"mean": 0.0}
