"""The robust score: one combination of terms for all data, each brought to one scale by held-out normals."""

import dataclasses

import numpy as np
import tensorflow as tf

# The terms that it joins, all alike: chosen on development sets of digits, garments, retinas and lungs together. The critic's own
# value is none of them: between two seeds, or two iterations of one, what it tells of lungs swings from an AUROC of .65 to .86.
TERMS = ("feature_density", "feature_outside", "local_correlation")
# What detectors join that were made when these were chosen otherwise: their scores and thresholds stay as they are.
_FORMER_WEIGHTS = {
    "feature_density": 1.0,
    "feature_outside": 1.0,
    "local_correlation": 0.5,
    "worst_blocks": 0.25,
    "critic_distance": 0.5,
}
# A difference from a median, which is small for half of the normals, is compared as it is; all other terms by their logarithm.
_PLAIN = frozenset({"critic_distance"})
_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Scales:
    """Mean and standard deviation of each term, or of its logarithm, over held-out normals.

    Attributes:
      means, deviations: term -> number; deviations above 0.
      blocks: of the critic's maps, from the largest to the smallest, each one's mean residual over all positions, and behind
        these each one's over the worst tenth; () where nothing is restored.
      weights: of the terms that the robust score joins.
    """

    means: dict[str, float]
    deviations: dict[str, float]
    blocks: tuple[float, ...] = ()
    weights: dict[str, float] = dataclasses.field(default_factory=_FORMER_WEIGHTS.copy)

    def standardised(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """(B,) -> (B,): 0 for a typical normal image, about +-1 for most."""
        form = values if name in _PLAIN else tf.math.log(values + _TINY)
        return (form - self.means[name]) / self.deviations[name]


def fit(terms: dict[str, np.ndarray], blocks: tuple[float, ...] = ()) -> Scales:
    """The scales of the terms (N,) of held-out normals, N >= 2; blocks: see `Scales`."""
    means, deviations = {}, {}
    for name, values in terms.items():
        form = np.asarray(values, np.float64) if name in _PLAIN else np.log(np.asarray(values, np.float64) + _TINY)
        means[name] = float(form.mean())
        # A term that is the same for all normals cannot be brought to a scale; any other value of it is far off.
        deviations[name] = float(max(form.std(), 1e-6))
    return Scales(means, deviations, blocks, dict.fromkeys(TERMS, 1.0))


def score(terms: dict[str, tf.Tensor], scales: Scales) -> tf.Tensor:
    """The weighted mean over the terms of log(1 + e^z), z the standardised term: (B,), above 0.

    A term that is low, whatever its value, adds next to nothing, and a high one adds its height: each speaks where it is sure.
    Terms that the method does not have are left out.
    """
    used = {name: weight for name, weight in scales.weights.items() if name in terms}
    parts = [weight * softplus(scales.standardised(name, terms[name])) for name, weight in used.items()]
    return tf.add_n(parts) / sum(used.values())


def softplus(x: tf.Tensor) -> tf.Tensor:
    """log(1 + e^x), above 0, in every runtime to the last bits of itself: same shape.

    Not every runtime has log(1 + y) for a small y. With s = y / (2 + y), here at most 1/3, it is 2 artanh(s), that is
    2 (s + s^3 / 3 + s^5 / 5 + ...).
    """
    y = tf.exp(-tf.abs(x))
    s = y / (2.0 + y)
    series = tf.zeros_like(s)
    for power in range(13, 0, -2):
        series = series * tf.square(s) + 1.0 / power
    return tf.nn.relu(x) + 2.0 * s * series
