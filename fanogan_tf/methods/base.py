"""The base of all methods: their training, the options that they read, and the steps that all recipes share."""

import dataclasses
import sys
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.data.feed import Feed, fits_on_gpu
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.standardise import standardised
from fanogan_tf.detection.calibration import Calibration, calibrate, marking
from fanogan_tf.detection.description import PEAK, describe
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.members import MembersDetector, joined
from fanogan_tf.detection.regions import front_of
from fanogan_tf.detection.scoring import batch_size_for
from fanogan_tf.distributed import cluster
from fanogan_tf.errors import UserError
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options, names
from fanogan_tf.random_streams import image_order
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.optimization import Adam

# Names of options that several methods read.
NETWORKS = ("network", "dim", "latent_dim")
UPDATES = ("batch_size", "iterations", "learning_rate")
CRITIC = ("n_critic", "gradient_penalty", "penalty_every")
SCORE = ("score", "nearest_normals")  # Of methods whose detector has a critic.
# Every method reads these.
_READ_BY_ALL = names("images", "scoring", "running") | {
    *("method", "seed", "deterministic", "mixed_precision", "folded", "false_positive_rate", "threshold_rule", "screened")
}


class Method:
    """A way to detect anomalies: a training recipe and the Detector that comes of it.

    A new method is a subclass in a file of its own, one line in `METHODS`, and one choice of `--method`.

    Attributes:
      PHASES: names of the phases of training, in their order.
      DETECTORS: the kinds of Detector that it makes.
      OPTIONS: names of all options that it reads, besides those that every method reads.
    """

    PHASES: tuple[str, ...]
    DETECTORS: tuple[type[Detector], ...]
    OPTIONS: tuple[str, ...]

    def settings(self, options: Options) -> tuple[str, ...]:
        """Names of those OPTIONS that have a say in the variant asked for. A report shows them and omits the rest."""
        return self.OPTIONS

    def unread(self, given: frozenset[str]) -> list[str]:
        """Names, sorted, of the given options that the method does not read."""
        return sorted(given - _READ_BY_ALL - {*self.OPTIONS})

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """Says what speaks against `train`, before it changes anything.

        Raises:
          UserError: something does.
        """
        raise NotImplementedError

    def train(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...]) -> None:
        """Trains `phases`, each from where it stopped; after the last one the calibrated Detector is in `run.detector`.

        Raises:
          UserError: what `run_phase` raises.
        """
        raise NotImplementedError

    def training_seconds(self, run: RunDirectory) -> dict[str, float]:
        """How long each phase was trained, by its name."""
        raise NotImplementedError


def network_spec(options: Options, image_shape: tuple[int, int, int]) -> NetworkSpec:
    """The networks that `options` ask for, for images (H, W, 1)."""
    sizes = (options.dim, options.latent_dim, options.bound, options.folded, options.mixed_precision)
    return NetworkSpec(image_shape, *sizes, network_name(options), options.standardise, options.sharpness)


def network_name(options: Options) -> str:
    """What `--network` comes to: resnet or dcgan."""
    return ("dcgan" if options.method == "anogan" else "resnet") if options.network == "auto" else options.network


def training_feed(
    images: ImageSet, batch_size: int, options: Options, of_encoder: bool = False, inputs: Sequence[str] = ("image",)
) -> Feed:
    """The batches of a phase, as the networks see them, in its order."""
    return Feed(
        images,
        batch_size,
        image_order(options.seed, of_encoder),
        options.random_flip,
        inputs,
        lambda pixels: standardised(pixels, options.standardise, options.sharpness),
        on_device=fits_on_gpu(images, inputs),
    )


def shown(splits: Splits, spec: NetworkSpec) -> np.ndarray:
    """The held-out images that sheets show while training, an even number up to 16, as the networks see them: (n, H, W, 1)."""
    some = splits.validation.float_images(np.arange(min(16, len(splits.validation)) // 2 * 2))
    return np.asarray(spec.prepared(tf.convert_to_tensor(some)))


def check_images(splits: Splits) -> None:
    """Raises UserError if the networks cannot make images of that size, or too few are held out to calibrate."""
    geometry(*splits.train.image_shape[:2])
    check_held_out(splits)


def check_held_out(splits: Splits) -> None:
    """Raises UserError if too few images are held out to calibrate."""
    if len(splits.validation) < 2:
        raise UserError("calibration needs at least two held-out normal images; raise --validation_fraction or add images")


def adam(options: Options, beta_1: float, beta_2: float = 0.999) -> keras.optimizers.Optimizer:
    """Adam with the step size of `options`."""
    return Adam(options.learning_rate, beta_1=beta_1, beta_2=beta_2)


def calibrate_and_save(detectors: Sequence[Detector], run: RunDirectory, options: Options, splits: Splits) -> None:
    """What every recipe ends with: describes normals, calibrates on held-out ones, prints their means, fills `run.detector`.

    Several detectors become the members of one. The chief's alone, where several processes train.
    """
    if not cluster.is_chief():
        return
    batch_size = batch_size_for(options.score_batch_size, splits.train.image_shape)
    # Each by its own seed: a member is what a run of that seed alone would be.
    found: list[dict[str, np.ndarray]] = [
        describe(
            detector, splits.train, splits.validation, batch_size, options.score, options.nearest_normals, options.seed + number
        )
        for number, detector in enumerate(detectors)
    ]
    detector, whole, peaks = detectors[0], found[0], found[0].get(PEAK)
    if detector.normality is not None and (few := detector.normality.few()):
        print(f"note: {few}", flush=True)
    if len(detectors) > 1:
        # The largest of an averaged map is not the average of the largest.
        held_out_means, whole = joined([{name: values for name, values in one.items() if name != PEAK} for one in found])
        detector = MembersDetector(detectors, held_out_means)
        peaks = detector.peaks(splits.validation, batch_size) if peaks is not None else None
    detector.calibration = calibrate(whole["score"], options.threshold_rule, options.false_positive_rate, options.screened)
    if peaks is not None:
        marked_from = marking(peaks, options.false_positive_rate)
        detector.calibration = dataclasses.replace(detector.calibration, marked_from=marked_from)
    names = {"image_residual": "A_R", "feature_residual": "A_D"}
    # Those of members are divided by their means.
    shown = names if len(detectors) == 1 else {}
    means = "".join(f"mean {short} {whole[name].mean():.4f}, " for name, short in shown.items() if name in whole)
    calibration = detector.calibrated()
    print(
        f"calibrated on {calibration.normals} held-out normal images: {means}threshold {calibration.threshold:.4f}"
        f"{expected_rate(calibration, options)}",
        flush=True,
    )
    if options.threshold_rule == "quantile" and options.false_positive_rate * (calibration.normals + 1) < 1.0:
        print(
            f"warning: --false_positive_rate={options.false_positive_rate:g} is below 1 / (N + 1), N = {calibration.normals} "
            "held-out images: the threshold rests on an assumed exponential tail; hold out more",
            file=sys.stderr,
        )
    detector.front = front_of(options)
    detector.save(run.detector)


def expected_rate(calibration: Calibration, options: Options) -> str:
    """What is known of the share of normal images that the threshold calls anomalous; "" for a rule that asks for none."""
    if options.threshold_rule != "quantile":
        return ""
    low, high = calibration.rate_interval(options.false_positive_rate)
    return f", which calls {100 * low:.1f} to {100 * high:.1f} % of normal images anomalous (95 % interval)"
