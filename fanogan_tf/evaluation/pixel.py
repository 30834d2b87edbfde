"""How well the residual |x - G(E(x))| finds the anomalous pixels, in memory that does not grow with the number of images."""

import numpy as np
from sklearn import metrics as sk

from fanogan_tf.evaluation import metrics

LEVELS = 65_536
LARGEST = 2.0  # images lie in [-1, 1]
_STEP = LARGEST / (LEVELS - 1)


def to_levels(residual: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The level of each residual, an int from 0 to 65,535, and whether its pixel is marked, both of the arguments' shape.

    Raises:
      ValueError: the shapes differ, or a residual is NaN.
    """
    residual, mask = np.asarray(residual, np.float64), np.asarray(mask)
    if residual.shape != mask.shape:
        raise ValueError(f"residual {residual.shape} and mask {mask.shape} differ in shape")
    if np.isnan(residual).any():
        raise ValueError("a residual is NaN")
    return np.round(np.clip(residual, 0.0, LARGEST) / _STEP).astype(np.int64), mask > 0.5


def above_level(level: int) -> float:
    """The residual that parts `level` from the next: what lies above it was rounded to a higher level."""
    return (level + 0.5) * _STEP


class PixelCounts:
    """Counts the pixels at each of 65,536 residual levels, anomalous ones and normal ones apart."""

    def __init__(self) -> None:
        self._normal = np.zeros(LEVELS, np.int64)
        self._anomalous = np.zeros(LEVELS, np.int64)

    def update(self, residual: np.ndarray, mask: np.ndarray, counted: np.ndarray | None = None) -> None:
        """Counts some images in.

        Args:
          residual: (B, H, W, 1) in [0, 2].
          mask: (B, H, W, 1), 1 where a pixel is anomalous, 0 elsewhere.
          counted: (B, H, W, 1) bool, False where a pixel is neither and is left out; None counts all.

        Raises:
          ValueError: the shapes differ, or a residual is NaN.
        """
        levels, marked = to_levels(residual, mask)
        if counted is not None:
            levels, marked = levels[counted], marked[counted]
        self._anomalous += np.bincount(levels[marked], minlength=LEVELS)
        self._normal += np.bincount(levels[~marked], minlength=LEVELS)

    def result(self) -> dict | None:
        """auroc, average_precision, youden, pixels and anomalous_pixels.

        youden is as of `metrics.at_threshold`, its threshold a residual in [0, 2]. None if there is no
        anomalous pixel, or no normal one.
        """
        if not self._anomalous.any() or not self._normal.any():
            return None
        labels, levels, counts = self._weighted()
        best = metrics.youden_threshold(labels, levels, counts)
        youden = metrics.at_threshold(labels, levels, best, counts)
        youden["threshold"] = above_level(best)
        return {
            "auroc": float(sk.roc_auc_score(labels, levels, sample_weight=counts)),
            "average_precision": float(sk.average_precision_score(labels, levels, sample_weight=counts)),
            "youden": youden,
            "pixels": int(counts.sum()),
            "anomalous_pixels": int(self._anomalous.sum()),
        }

    def roc_curve(self) -> tuple[np.ndarray, np.ndarray]:
        """False positive rates and true positive rates, ascending; both kinds of pixel must have been counted."""
        labels, levels, counts = self._weighted()
        false_positive_rate, true_positive_rate, _ = sk.roc_curve(labels, levels, sample_weight=counts)
        return false_positive_rate, true_positive_rate

    def _weighted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """labels, levels and counts of all levels that occur, each (M,)."""
        normal, anomalous = np.flatnonzero(self._normal), np.flatnonzero(self._anomalous)
        labels = np.repeat([metrics.NORMAL, metrics.ANOMALOUS], [len(normal), len(anomalous)])
        levels = np.concatenate([normal, anomalous]).astype(np.float64)
        counts = np.concatenate([self._normal[normal], self._anomalous[anomalous]]).astype(np.float64)
        return labels, levels, counts
