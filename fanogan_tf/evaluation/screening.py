"""Screening (the chest X-ray thesis's pipeline): a filter reports certainly normal images at once, the rest goes to the reader.

Where the filter stands is known before any test image is seen: a quantile of held-out normals (`calibration.calibrate`), or, from
labelled images for development, the place where a wanted sensitivity is sure (`filter_for`).
"""

import math
from typing import Any

import numpy as np
from scipy import stats

from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import metrics
from fanogan_tf.evaluation.intervals import LEVEL, share

MOST_MISSED = 24  # Of the missed images, how many are shown.


def filter_for(diseased: np.ndarray, sensitivity: float, level: float = LEVEL) -> tuple[float, int]:
    """The highest filter whose sensitivity is at least the wanted one, by its one-sided Clopper-Pearson bound.

    Args:
      diseased: (N,) scores of diseased images that are neither trained nor tested on.
      sensitivity: wanted, inside (0, 1).
      level: of confidence.

    Returns:
      the filter, and how many of these images lie below it.

    Raises:
      UserError: not even with none below it the bound is that high: there are too few.
    """
    scores = np.sort(np.asarray(diseased, np.float64))
    count, missed = len(scores), -1
    # The bound falls with every image missed.
    while missed + 1 < count and stats.beta.ppf(1.0 - level, count - missed - 1, missed + 2) >= sensitivity:
        missed += 1
    if missed < 0:
        least = math.ceil(math.log(1.0 - level) / math.log(sensitivity))
        raise UserError(
            f"--sensitivity={sensitivity:g}: {count} diseased images cannot show it with {level:.0%} confidence; give at "
            f"least {least}, or lower it"
        )
    return float(scores[missed]), missed


def predictive_value(sensitivity: float, specificity: float, prevalence: float) -> float:
    """How many of the images called certainly normal are so, where that share of all is diseased."""
    right, wrong = (1.0 - prevalence) * specificity, prevalence * (1.0 - sensitivity)
    return right / (right + wrong) if right + wrong else 1.0


def figures(table: ScoreTable, prevalence: float) -> dict[str, Any] | None:
    """What the filter did to the test images; None where there was no filter, or an image's label is missing.

    Returns:
      prevalence; taken_off, of all test images, sensitivity and specificity: see `intervals.share`; taken_off_at_prevalence and
      negative_predictive_value: value, low and high, both ends made of the two others' ends; missed: names, the lowest score
      first; curve: sensitivity and specificity (the share of normal images taken off) of every filter, from the strictest on.
    """
    if table.certainly_normal is None or (table.label == metrics.UNKNOWN).any():
        return None
    off = table.certainly_normal
    diseased = table.label == metrics.ANOMALOUS
    if diseased.all() or not diseased.any():
        return None
    sensitivity = share(int((diseased & ~off).sum()), int(diseased.sum()))
    specificity = share(int((~diseased & off).sum()), int((~diseased).sum()))
    missed = np.flatnonzero(diseased & off)

    cuts = np.unique(table.score)
    # The images below each cut, of either kind.
    below = [np.searchsorted(np.sort(table.score[kind]), cuts, side="left") / kind.sum() for kind in (diseased, ~diseased)]
    return {
        "prevalence": prevalence,
        "taken_off": share(int(off.sum()), len(off)),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "taken_off_at_prevalence": {
            "value": prevalence * (1.0 - sensitivity["value"]) + (1.0 - prevalence) * specificity["value"],
            # More is taken off where the specificity is high, or the sensitivity low.
            "low": prevalence * (1.0 - sensitivity["high"]) + (1.0 - prevalence) * specificity["low"],
            "high": prevalence * (1.0 - sensitivity["low"]) + (1.0 - prevalence) * specificity["high"],
        },
        "negative_predictive_value": {
            key: predictive_value(sensitivity[key], specificity[key], prevalence) for key in ("value", "low", "high")
        },
        "missed": table.image[missed[np.argsort(table.score[missed], kind="stable")]].tolist(),
        "curve": {"sensitivity": (1.0 - below[0]).tolist(), "specificity": below[1].tolist()},
    }
