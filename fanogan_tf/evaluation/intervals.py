"""95 % intervals of figures, and the paired comparison of two scores of the same images.

DeLong's method (DeLong, DeLong and Clarke-Pearson 1988; by ranks as Sun and Xu 2014) for areas under ROC curves of independent
images; the bootstrap of whole groups, such as patients, for every other figure and for images that belong together.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from fanogan_tf.random_streams import Stream

LEVEL = 0.95
RESAMPLES = 1000
_LEAST_DEFINED = 0.9  # Of the resamples; an AUROC, for one, is not defined where they have no normals.


@dataclasses.dataclass(frozen=True)
class Interval:
    """The 95 % interval [low, high] of a figure, or why there is none: then low and high are None."""

    low: float | None
    high: float | None
    why: str = ""

    def __str__(self) -> str:
        return f"{self.low:.3f} to {self.high:.3f}" if self.low is not None else f"no interval: {self.why}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two AUROCs on the same images: `difference` first less second, its 95 % interval, and the two-sided p of no difference."""

    difference: float
    interval: Interval
    p: float | None


def share(part: int, whole: int) -> dict[str, float]:
    """A share of something with its exact 95 % interval (Clopper and Pearson 1934): value, low, high, part and whole."""
    found = stats.binomtest(part, whole).proportion_ci(LEVEL, method="exact")
    return {"value": part / whole, "low": float(found.low), "high": float(found.high), "part": part, "whole": whole}


def auroc(normal: np.ndarray, anomalous: np.ndarray) -> tuple[float, Interval]:
    """The AUROC and its interval by DeLong's variance on the logit scale, which stays inside (0, 1).

    Args:
      normal: (n,) scores of normal images.
      anomalous: (m,) scores of anomalous images, higher is more anomalous; ties count one half.
    """
    (area,), covariance = _delong(np.asarray([normal]), np.asarray([anomalous]))
    few = _too_few(len(normal), len(anomalous))
    if few:
        return area, Interval(None, None, few)
    deviation = math.sqrt(max(float(covariance[0, 0]), 0.0))
    if area in (0.0, 1.0) or deviation == 0.0:
        return area, Interval(None, None, "the scores part the two kinds without overlap")
    half = stats.norm.ppf(0.5 + LEVEL / 2) * deviation / (area * (1.0 - area))
    middle = math.log(area / (1.0 - area))
    low, high = (1.0 / (1.0 + math.exp(-(middle + side * half))) for side in (-1.0, 1.0))
    return area, Interval(low, high)


def compare(normal: np.ndarray, anomalous: np.ndarray) -> Comparison:
    """DeLong's paired test of two scores.

    Args:
      normal: (2, n), the first and the second score of the same normal images.
      anomalous: (2, m), of the same anomalous ones.
    """
    areas, covariance = _delong(np.asarray(normal), np.asarray(anomalous))
    difference = areas[0] - areas[1]
    few = _too_few(np.shape(normal)[1], np.shape(anomalous)[1])
    if few:
        return Comparison(difference, Interval(None, None, few), None)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
    if variance <= 1e-18:
        return Comparison(
            difference, Interval(None, None, "the two scores rank all pairs alike"), 1.0 if difference == 0 else None
        )
    deviation = math.sqrt(variance)
    half = stats.norm.ppf(0.5 + LEVEL / 2) * deviation
    p = 2.0 * stats.norm.sf(abs(difference) / deviation)
    return Comparison(difference, Interval(difference - half, difference + half), float(p))


def bootstrap(
    figures: Callable[[np.ndarray], dict[str, float | None]], groups: np.ndarray, seed: int, strata: np.ndarray | None = None
) -> dict[str, Interval]:
    """The intervals between the percentiles of figures over resamples of whole groups.

    Args:
      figures: from how often each row counts, (N,) whole numbers, to figures by name; None where one is not defined.
      groups: (N,) what each row belongs to; rows of one group are drawn together.
      seed: of the draws.
      strata: (N,) such as the labels; groups are drawn apart within each stratum of their first row, so that no resample is
        without one of them. None: all together.
    """
    names, first, member = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    kinds = np.zeros(len(names), int) if strata is None else np.asarray(strata)[first]
    of_kind = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    asked = figures(np.ones(len(member), int))
    if min(map(len, of_kind), default=0) < 2:
        why = "there is only one group" if len(names) < 2 else "one kind of image comes from a single group"
        return {name: Interval(None, None, why) for name in asked}
    random = np.random.default_rng([seed, Stream.BOOTSTRAP])
    values: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(RESAMPLES):
        counts = np.zeros(len(names), int)
        for some in of_kind:
            counts[some] = np.bincount(random.integers(len(some), size=len(some)), minlength=len(some))
        for name, value in figures(counts[member]).items():
            if value is not None:
                values[name].append(value)
    return {name: _percentiles(found) for name, found in values.items()}


def _percentiles(values: list[float]) -> Interval:
    if len(values) < _LEAST_DEFINED * RESAMPLES:
        return Interval(None, None, "the figure is not defined for many resamples")
    low, high = np.quantile(values, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(float(low), float(high))


def _too_few(normal: int, anomalous: int) -> str:
    if min(normal, anomalous) >= 2:
        return ""
    return f"it takes two images of each kind, there are {normal} normal and {anomalous} anomalous"


def _delong(normal: np.ndarray, anomalous: np.ndarray) -> tuple[list[float], np.ndarray]:
    """AUROCs of k scores, and their covariance (k, k). normal: (k, n), anomalous: (k, m)."""
    scores, n, m = len(normal), normal.shape[1], anomalous.shape[1]
    of_normal, of_anomalous = np.empty((scores, n)), np.empty((scores, m))
    for i in range(scores):
        ranks = stats.rankdata(np.concatenate([normal[i], anomalous[i]]))
        # How many of the other kind lie below each image, ties counted half: its rank among all less that among its own.
        of_normal[i] = 1.0 - (ranks[:n] - stats.rankdata(normal[i])) / m
        of_anomalous[i] = (ranks[n:] - stats.rankdata(anomalous[i])) / n
    areas = [float(values.mean()) for values in of_anomalous]
    covariance = np.zeros((scores, scores))
    if min(n, m) > 1:
        covariance = np.atleast_2d(np.cov(of_normal)) / n + np.atleast_2d(np.cov(of_anomalous)) / m
    return areas, covariance
