"""What the training recipes of all methods share.

Which settings a method listens to: what a report must say of a run, and what it must not, as it has changed nothing.
"""

import dataclasses

import keras
import numpy as np

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import TERMS, batch_size_for
from fanogan_tf.distributed import cluster
from fanogan_tf.errors import UserError
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


def network_spec(options: Options, image_shape: tuple[int, int, int]) -> NetworkSpec:
    """The networks that `options` ask for, for images (H, W, 1)."""
    sizes = (options.dim, options.latent_dim, options.bound, options.folded, options.mixed_precision)
    return NetworkSpec(image_shape, *sizes, network_name(options))


def network_name(options: Options) -> str:
    """What `--network` comes to: resnet or dcgan."""
    return ("dcgan" if options.method == "anogan" else "resnet") if options.network == "auto" else options.network


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
    return keras.optimizers.Adam(options.learning_rate, beta_1=beta_1, beta_2=beta_2)


def calibrate_and_save(detector: Detector, run: RunDirectory, options: Options, splits: Splits) -> None:
    """What every recipe ends with: calibrates on the held-out normal images, prints their mean terms, fills `run.detector`.

    The chief's alone, where several processes train.
    """
    if not cluster.is_chief():
        return
    parts: dict[str, list[np.ndarray]] = {}
    for batch in splits.validation.batches(batch_size_for(options.score_batch_size)):
        for name, values in detector.measure(batch["image"]).items():
            if name in ("score", *TERMS):  # Not the pictures: they would fill the memory.
                parts.setdefault(name, []).append(values)
    values = {name: np.concatenate(part) for name, part in parts.items()}
    detector.calibration = calibrate(values["score"], options.threshold_rule, options.false_positive_rate)
    names = {"image_residual": "A_R", "feature_residual": "A_D"}
    means = "".join(f"mean {short} {values[name].mean():.4f}, " for name, short in names.items() if name in values)
    print(
        f"calibrated on {len(values['score'])} held-out normal images: {means}threshold {detector.calibration.threshold:.4f}",
        flush=True,
    )
    detector.save(run.detector)


_NETWORKS = ("network", "dim", "latent_dim")
_UPDATES = ("batch_size", "iterations", "learning_rate")
_CRITIC = ("n_critic", "gradient_penalty")
_ENCODER = ("bound", "encoder_loss", "denoise", "encoder_iterations", "encoder_learning_rate")
_MAPPING = ("mapping_steps", "mapping_learning_rate", "mapping_patience")


def settings(options: Options) -> dict[str, object]:
    """Name -> value of the settings that `options.method` is made from, in the variant that the other options ask for.

    Not those of every method: images, seeds and threshold; nor what changes the speed alone.
    """
    decided = dataclasses.replace(options, network=network_name(options))
    gan = (*_NETWORKS, *_UPDATES, *(_CRITIC if decided.network == "resnet" else ()))
    names = {
        "fanogan": (*gan, *_ENCODER, "kappa"),
        "iterative": (*gan, "mapping_start", *(_ENCODER if options.mapping_start == "encoder" else ()), *_MAPPING, "kappa"),
        "critic": gan,
        "anogan": (*gan, "anogan_variant", *(("anogan_lambda", *_MAPPING) if options.anogan_variant != "p_d" else ())),
        "ae": (*_NETWORKS, "bound", *_UPDATES),
        "adv_ae": (*_NETWORKS, "bound", *_UPDATES, *_CRITIC, "adversarial_weight", "kappa"),
        "ali": (*_NETWORKS, *_UPDATES, "kappa"),
        "ganomaly": ("dim", "latent_dim", *_UPDATES, "ganomaly_adversarial", "ganomaly_contextual", "ganomaly_encoding"),
        "pca": ("latent_dim", "fit_images"),
        "ocsvm": ("latent_dim", "fit_images"),
    }[options.method]
    return {name: getattr(decided, name) for name in names}
