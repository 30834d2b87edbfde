"""A one-class support vector machine on pixels: what can be told without a network, and without restoring anything."""

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.ocsvm_detector import OcsvmDetector
from fanogan_tf.methods.fit import PHASES, check, fit_once, training_seconds
from fanogan_tf.methods.recipe import calibrate_and_save, network_spec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.one_class_svm import one_class_svm

__all__ = ["PHASES", "check", "train", "training_seconds"]


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Fits where that is not done yet; then the calibrated Detector is in `run.detector`."""
    fit = fit_once(run, options, splits, one_class_svm)
    print(f"OCSVM: {len(fit['support_vectors'])} support vectors", flush=True)
    parts = {name: float(fit[name]) if name in OcsvmDetector.SETTINGS else fit[name] for name in fit}
    detector = OcsvmDetector(network_spec(options, splits.train.image_shape), **parts)
    calibrate_and_save(detector, run, options, splits)
