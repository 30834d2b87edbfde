"""Principal components, the plainest of the restoring methods: what a network must beat to be worth its training."""

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.pca_detector import PcaDetector
from fanogan_tf.methods.fit import PHASES, check, fit_once, training_seconds
from fanogan_tf.methods.recipe import calibrate_and_save, network_spec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.principal_components import principal_components

__all__ = ["PHASES", "check", "train", "training_seconds"]


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Fits where that is not done yet; then the calibrated Detector is in `run.detector`."""
    arrays = fit_once(run, options, splits, principal_components)
    print(f"PCA: {len(arrays['components'])} components", flush=True)
    detector = PcaDetector(network_spec(options, splits.train.image_shape), **arrays)
    calibrate_and_save(detector, run, options, splits)
