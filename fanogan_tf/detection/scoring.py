"""Scoring: the paper's formulas, every image of a source batch by batch, and images handed over in Python.

The residuals are `losses.mean_square` of differences: means over pixels, features or coordinates, never sums, so that a score
does not grow with the image (f-AnoGAN, section 2.3).
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from fanogan_tf.data.image_set import inputs_of
from fanogan_tf.data.image_stream import GivenImage, given_batches
from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.detection.terms import FURTHER, OWN
from fanogan_tf.errors import UserError


def batch_size_for(asked: int, image_shape: tuple[int, int, int] = (64, 64, 1)) -> int:
    """How many images to score at once: `asked`, or if that is 0 what suits the machine.

    On two CPU cores more than 64 gains little (results/scoring.json). A GPU wants more to do at once, as far as its memory goes:
    four million pixels, between 64 and 1,024 images.
    """
    if asked or not tf.config.list_physical_devices("GPU"):
        return asked or 64
    return min(max(2**22 // math.prod(image_shape), 64), 1024)


def score_rows(
    detector: Any, source: Any, batch_size: int, on_batch: Callable[[dict, dict], None] = lambda batch, measured: None
) -> Iterator[dict]:
    """Scores a source and shows a progress bar.

    Args:
      detector: a calibrated Detector, or anything else that can `judge`.
      source: an ImageSet or ImageStream: `len` and `batches(batch_size)`.
      on_batch: called with each batch and what `Detector.judge` said of it, while both are at hand.

    Yields:
      One row of `score_table` per image, in order, and its `group`, "" where the source has none.
    """

    def judged_with(batch: dict) -> tuple[dict, dict]:
        return batch, detector.judge(*inputs_of(batch, detector.INPUTS))

    with tqdm(total=len(source), desc="scoring", unit="image") as bar:
        # The device scores one batch while the rows of the last are made.
        for batch, judged in ordered_map(judged_with, source.batches(batch_size), workers=1, ahead=1):
            on_batch(batch, judged)
            yield from rows_of(batch, judged)
            bar.update(len(batch["name"]))


def rows_of(batch: dict, judged: dict) -> Iterator[dict]:
    """The rows of `score_table` of a batch and what `Detector.judge` said of it; each has its `group` as well."""
    for i, name in enumerate(batch["name"]):
        yield {
            "image": str(name),
            "group": str(batch["group"][i]) if "group" in batch else "",
            "label": int(batch["label"][i]),
            "class": str(batch["class_name"][i]),
            **{name: judged[name][i] for name in ("score", "probability", "anomalous")},
            **{term: judged[term][i] if term in judged else math.nan for term in OWN},
            **{term: judged[term][i] for term in FURTHER if term in judged},
            **({"certainly_normal": judged["certainly_normal"][i]} if "certainly_normal" in judged else {}),
        }


def anomaly_score(image_residual: tf.Tensor, feature_residual: tf.Tensor, kappa: float) -> tf.Tensor:
    """A = A_R + kappa A_D (f-AnoGAN, eq. 4): (B,)."""
    return image_residual + kappa * feature_residual


def pixel_map(images: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """|x - G(E(x))| (f-AnoGAN, eq. 5): (B, H, W, 1), in [0, 2]."""
    return tf.abs(images - restored)


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """One entry per image, in their order.

    Attributes:
      names: (N,) str, an image's path, or its number where it was an array.
      scores: (N,) float64, the anomaly score; higher is more anomalous.
      probabilities: (N,) float64 in [0, 1], from the calibration on held-out normal images.
      anomalous: (N,) bool, whether the score exceeds the calibrated threshold.
      maps: (N, H, W) float32 in [0, 2], |x - G(E(x))| at the detector's size; None if the method restores no images or no maps
        were asked for.
    """

    names: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    anomalous: np.ndarray
    maps: np.ndarray | None

    def __len__(self) -> int:
        return len(self.names)


class ScoresImages:
    """Gives `score` to everything that can `judge` batches: detectors of runs and of exported models."""

    INPUTS: tuple[str, ...] = ("image",)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 1)."""
        raise NotImplementedError

    def judge(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """See `Detector.judge`."""
        raise NotImplementedError

    def cut(self, image: np.ndarray) -> np.ndarray:
        """What is scored of an image (H, W) uint16 of any size: all of it, unless a subclass says otherwise."""
        return image

    def box(self, image: np.ndarray) -> tuple[int, int, int, int] | None:
        """Where `cut` crops an image, see `Front.box`; None where it crops none."""
        return None

    def score(self, images: GivenImage | Iterable[GivenImage], *, maps: bool = True, batch_size: int = 64) -> Scores:
        """Scores images of any size, grey or colour.

        Args:
          images: an array or a path, or any iterable of them; see `image_stream.given_batches`.
          maps: whether to keep the pixel maps, 4 bytes per pixel.
          batch_size: images scored at once; changes speed, not scores.

        Raises:
          UserError: an image that cannot be read, or without its organ; no images; or a method that takes more than images.
        """
        if tuple(self.INPUTS) != ("image",):
            raise UserError(f"this detector takes {', '.join(self.INPUTS)}; score its data set with fanogan score")
        parts: dict[str, list[np.ndarray]] = {}
        for batch in given_batches(images, self.image_shape, batch_size, self.cut):
            judged = self.judge(batch["image"])
            if "region_found" in judged and not judged["region_found"].all():
                name = batch["name"][np.argmin(judged["region_found"])]
                raise UserError(f"image {name}: no lungs found, or strange ones; leave it out")
            kept = {name: judged[name] for name in ("score", "probability", "anomalous")} | {"name": batch["name"]}
            if maps and "residual" in judged:
                kept["residual"] = judged["residual"][..., 0]
            for name, values in kept.items():
                parts.setdefault(name, []).append(values)
        if not parts:
            raise UserError("no images to score; give at least one")
        whole = {name: np.concatenate(values) for name, values in parts.items()}
        return Scores(
            names=whole["name"],
            scores=whole["score"].astype(np.float64),
            probabilities=whole["probability"].astype(np.float64),
            anomalous=whole["anomalous"].astype(bool),
            maps=whole.get("residual"),
        )
