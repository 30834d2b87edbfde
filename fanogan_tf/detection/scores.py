"""What a detector makes of images that are handed over in Python."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from fanogan_tf.data import given_images
from fanogan_tf.data.given_images import GivenImage
from fanogan_tf.errors import UserError


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

    def score(self, images: GivenImage | Iterable[GivenImage], *, maps: bool = True, batch_size: int = 64) -> Scores:
        """Scores images of any size, grey or colour.

        Args:
          images: an array or a path, or any iterable of them; see `given_images.batches`.
          maps: whether to keep the pixel maps, 4 bytes per pixel.
          batch_size: images scored at once; changes speed, not scores.

        Raises:
          UserError: an image that cannot be read; no images; or a method that takes more than images.
        """
        if tuple(self.INPUTS) != ("image",):
            raise UserError(f"this detector takes {', '.join(self.INPUTS)}; score its data set with fanogan score")
        parts: dict[str, list[np.ndarray]] = {}
        for batch in given_images.batches(images, self.image_shape, batch_size):
            judged = self.judge(batch["image"])
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
