"""Images per second from PNG files to a table of scores, against a plain Keras script: python benchmarks/scoring.py

Both use the same files and random weights and get the same scores; ours also computes the latent distance and the probability of
each image. Then ours is timed at several batch sizes.
"""

import csv
import functools
import tempfile
from pathlib import Path
from statistics import median

import command
import harness
import keras
import numpy as np
import synthetic
from keras_form import KerasForm, copy_weights
from PIL import Image

from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.detection.detector import Detector
from fanogan_tf.networks.spec import NetworkSpec

WHAT = "From synthetic PNG files to a table of scores: one `predict` of Keras after another and NumPy, or ours."
SIZES = [
    {"side": 32, "dim": 16, "latent_dim": 32, "images": 2_000},
    {"side": 64, "dim": 64, "latent_dim": 128, "images": 128},
]
KAPPA = 10.0
BATCH = 64
KERAS_BATCH = 32  # The default of `predict`.
BATCHES = (16, 32, 64, 128, 256)
TOLERANCE = 1e-4
NETWORKS = ("encoder", "generator", "critic")


class PlainKeras:
    """A scoring script without this package: all images in one array, one `predict` after another."""

    def __init__(self, detector: Detector, batch: int):
        spec = detector.spec
        self.networks = KerasForm(spec.image_shape[0], spec.dim, spec.latent_dim, batch=1)
        for name in NETWORKS:
            copy_weights(getattr(detector, name), getattr(self.networks, name))
        self.options = {"batch_size": batch, "verbose": 0}

    def score(self, paths: list[Path], table: Path) -> None:
        images = np.stack([np.asarray(Image.open(path), np.float32) for path in paths])[..., np.newaxis] / 127.5 - 1.0
        latent = self.networks.encoder.predict(images, **self.options)
        restored = self.networks.generator.predict(latent, **self.options)
        _, features = self.networks.critic.predict(images, **self.options)
        _, restored_features = self.networks.critic.predict(restored, **self.options)
        image_residual = np.square(images - restored).mean(axis=(1, 2, 3))
        feature_residual = np.square(features - restored_features).mean(axis=1)
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "score", "image_residual", "feature_residual"])
            for row in zip(paths, image_residual + KAPPA * feature_residual, image_residual, feature_residual, strict=True):
                writer.writerow(row)


def score(detector: Detector, paths: list[Path], table: Path, batch: int = BATCH) -> None:
    score_table.write(table, scoring.score_rows(detector, ImageStream(paths, detector.spec.image_shape), batch))


def scores_in(table: Path) -> np.ndarray:
    """Reads the column `score`, (N,) float64."""
    with open(table, newline="", encoding="utf-8") as file:
        return np.array([float(row["score"]) for row in csv.DictReader(file)])


def largest_difference(ones: np.ndarray, others: np.ndarray) -> float:
    """Computes the largest relative difference of two scores of one image."""
    return float(np.max(np.abs(ones - others) / np.abs(ones)))


def against_keras(detectors: dict[str, Detector], paths: list[Path], folder: Path, rounds: int) -> dict:
    """Measures speeds and scores of the plain script and of ours."""
    plain = {f"keras_predict_batch_{batch}": PlainKeras(detectors["float32"], batch) for batch in (KERAS_BATCH, BATCH)}
    work = {name: script.score for name, script in plain.items()}
    work |= {f"ours_{precision}": functools.partial(score, detector) for precision, detector in detectors.items()}
    forms = {name: functools.partial(call, paths, folder / f"{name}.csv") for name, call in work.items()}
    seconds = harness.interleaved(forms, rounds, warm=1)
    scores = {name: scores_in(folder / f"{name}.csv") for name in forms}
    differences = {name: largest_difference(scores["ours_float32"], scores[name]) for name in forms if name != "ours_float32"}
    for name in plain:
        if not differences[name] <= TOLERANCE:
            raise AssertionError(
                f"scores of {name} and ours differ by {differences[name]:.2g}, more than {TOLERANCE}: not the same work"
            )
    yardstick = min(plain, key=lambda name: median(seconds[name]))
    return {
        "seconds": {name: harness.summary(times) for name, times in seconds.items()},
        "images_per_second": {name: round(len(paths) / median(times), 2) for name, times in seconds.items()},
        "yardstick": yardstick,
        "times_as_fast": harness.ratios(seconds, yardstick),
        "largest_relative_difference_of_scores_from_ours_float32": differences,
        "scores": {"mean": float(scores["ours_float32"].mean()), "sd": float(scores["ours_float32"].std())},
    }


def by_batch(detector: Detector, paths: list[Path], images: int, folder: Path, rounds: int) -> dict:
    """Measures images per second of ours at each batch size, on `images` images or one whole batch."""
    counts = {str(batch): max(images, batch) for batch in BATCHES}
    table = folder / "batches.csv"
    forms = {name: functools.partial(score, detector, paths[:count], table, int(name)) for name, count in counts.items()}
    seconds = harness.interleaved(forms, rounds, warm=1)
    return {name: round(count / median(seconds[name]), 2) for name, count in counts.items()}


def measured(side: int, dim: int, latent_dim: int, images: int, quick: bool) -> dict:
    shape = (side, side, 1)
    detectors = {
        "float32": synthetic.detector(NetworkSpec(shape, dim, latent_dim), KAPPA),
        "bfloat16": synthetic.detector(NetworkSpec(shape, dim, latent_dim, precision="bfloat16"), KAPPA),
    }
    for name in NETWORKS:
        getattr(detectors["bfloat16"], name).set_weights(getattr(detectors["float32"], name).get_weights())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = synthetic.write_pngs(folder / "images", max(images, *BATCHES), side)
        return {
            "images": images,
            **against_keras(detectors, paths[:images], folder, rounds=1 if quick else 5),
            "images_per_second_by_batch": by_batch(detectors["float32"], paths, images, folder, rounds=1 if quick else 2),
        }


def run(quick: bool) -> dict:
    tiny = {"dim": 4, "latent_dim": 4, "images": 70} if quick else {}
    result = {}
    for sizes in SIZES:
        sizes = sizes | tiny
        result[f"{sizes['side']}x{sizes['side']}_dim_{sizes['dim']}"] = measured(**sizes, quick=quick)
        keras.backend.clear_session()
    return {"batch": BATCH, **result}


if __name__ == "__main__":
    command.main("scoring", WHAT, run)
