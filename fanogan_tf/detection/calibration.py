"""Calibration: from a score to a decision and a probability, by the scores of held-out normal images alone.

`Calibration` works on arrays. `probability` and `anomalous` do the same in a graph, for exported models.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from scipy import stats

from fanogan_tf.errors import UserError

_MOST_KNOTS = 1001
_TAIL_KNOTS = 500  # Of these, the highest scores, of which none is left out.


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The distribution of the score over normal images, and the threshold chosen from it.

    An image is called anomalous when score > threshold. Its probability is the share of normal images expected to score lower:
    at the `quantile` rule's threshold it is 1 - false_positive_rate. It never falls when the score rises; it is not the
    probability of disease, for which one would have to know how common disease is.

    Attributes:
      threshold: the cut.
      knots: (K,) ascending scores of held-out normals.
      levels: (K,) the share of normals below each knot, inside (0, 1).
      tail: the normals' standard deviation; beyond the outermost knots the share falls by a factor e for each.
      normals: how many held-out normals there were; 0 in detectors of earlier versions, which do not tell.
      filter: an image that scores lower is certainly normal, and need not be read; None where nothing is.
      marked_from: residual from which a pixel of a map is marked, see `marking`; None where there are no maps, and in detectors
        of earlier versions.
    """

    threshold: float
    knots: np.ndarray
    levels: np.ndarray
    tail: float
    normals: int = 0
    filter: float | None = None
    marked_from: float | None = None

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """(N,) scores -> (N,) in [0, 1], linear between the knots and exponential beyond them."""
        scores = np.asarray(scores, np.float64)
        inside = np.interp(scores, self.knots, self.levels)
        above = 1.0 - (1.0 - self.levels[-1]) * np.exp(-np.maximum(scores - self.knots[-1], 0.0) / self.tail)
        below = self.levels[0] * np.exp(-np.maximum(self.knots[0] - scores, 0.0) / self.tail)
        return np.asarray(np.where(scores > self.knots[-1], above, np.where(scores < self.knots[0], below, inside)))

    def anomalous(self, scores: np.ndarray) -> np.ndarray:
        """(N,) scores -> (N,) bool."""
        return np.asarray(scores) > self.threshold

    def certainly_normal(self, scores: np.ndarray) -> np.ndarray:
        """(N,) scores -> (N,) bool; see `filter`, which is not None."""
        # As the exported model compares them.
        return np.asarray(scores, np.float32) < np.float32(self.filter)

    def to_json(self) -> dict:
        """What `from_json` reads."""
        return dataclasses.asdict(self) | {"knots": self.knots.tolist(), "levels": self.levels.tolist()}

    @classmethod
    def from_json(cls, values: dict) -> "Calibration":
        """The reverse of `to_json`."""
        arrays = {name: np.array(values[name]) for name in ("knots", "levels")}
        return cls(**values | arrays)

    def rate_interval(self, rate: float) -> tuple[float, float]:
        """Between which shares of all normal images, not only of those held out, a threshold lies that was set for `rate`.

        95 of 100 times: the share above an order statistic of N scores has a Beta distribution.
        """
        above = rate * (self.normals + 1)
        low, high = stats.beta.ppf([0.025, 0.975], above, self.normals + 1 - above)
        return float(low), float(high)


def calibrate(normal_scores: np.ndarray, rule: str, false_positive_rate: float, screened: float = 0.0) -> Calibration:
    """Fits a calibration.

    Args:
      normal_scores: (N,) scores of held-out normal images, at least two different ones.
      rule: `quantile`, the score that `false_positive_rate` of normal images exceed; or `mean_3sd`, their mean + 3 standard
        deviations.
      screened: the share of normal images that are certainly normal; 0: there is no such filter.

    Raises:
      UserError: too few images for the distribution to mean anything.
    """
    scores = np.sort(np.asarray(normal_scores, np.float64))
    count = len(scores)
    if not np.isfinite(scores).all():
        raise UserError(f"calibration: {count - np.isfinite(scores).sum()} of {count} scores are not finite numbers; train again")
    if count < 2 or scores[0] == scores[-1]:
        raise UserError(
            f"calibration needs held-out normal images of at least two different scores, there are {count}; hold out more"
        )
    # i / (N + 1): among N + 1 exchangeable normals, the newest is below the i-th of the others that often.
    levels = np.arange(1, count + 1) / (count + 1)
    tail = float(scores.std())
    knots, first = np.unique(scores, return_index=True)
    levels = levels[first]
    # From all scores: what is left out below would move it.
    threshold = _score_at(1.0 - false_positive_rate, knots, levels, tail)
    if rule == "mean_3sd":
        threshold = float(scores.mean() + 3.0 * scores.std())
    if len(knots) > _MOST_KNOTS:
        rest = len(knots) - _TAIL_KNOTS
        spread = np.linspace(0, rest, _MOST_KNOTS - _TAIL_KNOTS, endpoint=False).round().astype(int)
        kept = np.unique(np.concatenate([spread, np.arange(rest, len(knots))]))
        knots, levels = knots[kept], levels[kept]
    return Calibration(threshold, knots, levels, tail, count, float(np.quantile(scores, screened)) if screened else None)


def marking(normal_peaks: np.ndarray, false_positive_rate: float) -> float:
    """The residual that at most `false_positive_rate` of normal images exceed anywhere; of the largest in each, (N,)."""
    return float(np.quantile(normal_peaks, 1.0 - false_positive_rate, method="higher"))


def probability(calibration: Calibration, score: tf.Tensor) -> tf.Tensor:
    """`Calibration.probability` of (B,) float32 scores: (B,) float32. Of operations that every runtime has."""
    knots, levels, slopes = (tf.constant(values, tf.float32) for values in _polygon(calibration))
    count = tf.reduce_sum(tf.cast(score[:, tf.newaxis] >= knots, tf.int32), axis=1)
    left = tf.clip_by_value(count, 1, len(calibration.knots) - 1) - 1
    inside = tf.gather(levels, left) + tf.gather(slopes, left) * (score - tf.gather(knots, left))
    above = 1.0 - float(1.0 - calibration.levels[-1]) * tf.exp(-tf.nn.relu(score - knots[-1]) / calibration.tail)
    below = float(calibration.levels[0]) * tf.exp(-tf.nn.relu(knots[0] - score) / calibration.tail)
    return tf.where(score > knots[-1], above, tf.where(score < knots[0], below, inside))


def _polygon(calibration: Calibration) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Knots and levels, and the slope right of each knot but the last: differences of them in float32 would be too coarse."""
    return calibration.knots, calibration.levels, np.diff(calibration.levels) / np.diff(calibration.knots)


def anomalous(calibration: Calibration, score: tf.Tensor) -> tf.Tensor:
    """`Calibration.anomalous` of (B,) float32 scores: (B,) bool. In float32, as NumPy compares them."""
    return score > tf.constant(calibration.threshold, tf.float32)


def anomalous_at(probability: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
    """Says which images lie above the `quantile` rule's threshold of a false positive rate: (B,), (B,) float32 -> (B,) bool."""
    return probability > 1.0 - rate


def certainly_normal(calibration: Calibration, score: tf.Tensor) -> tf.Tensor:
    """`Calibration.certainly_normal` of (B,) float32 scores: (B,) bool."""
    return score < tf.constant(calibration.filter, tf.float32)


def _score_at(level: float, knots: np.ndarray, levels: np.ndarray, tail: float) -> float:
    """The score whose probability is `level`: the reverse of `Calibration.probability`."""
    if level > levels[-1]:
        return float(knots[-1] - tail * np.log((1.0 - level) / (1.0 - levels[-1])))
    return float(np.interp(level, levels, knots))
