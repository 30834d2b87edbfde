"""`Calibration` as a part of the graph."""

import tensorflow as tf

from fanogan_tf.detection.calibration import Calibration


def probability(calibration: Calibration, score: tf.Tensor) -> tf.Tensor:
    """`Calibration.probability` of (B,) float32 scores: (B,) float32. Computed in float64, as there."""
    score = tf.cast(score, tf.float64)
    knots, levels = tf.constant(calibration.knots, tf.float64), tf.constant(calibration.levels, tf.float64)
    right = tf.clip_by_value(tf.searchsorted(knots, score, side="right"), 1, len(calibration.knots) - 1)
    left_knot, left_level = tf.gather(knots, right - 1), tf.gather(levels, right - 1)
    slope = (tf.gather(levels, right) - left_level) / (tf.gather(knots, right) - left_knot)
    inside = slope * (score - left_knot) + left_level
    above = 1.0 - (1.0 - levels[-1]) * tf.exp(-tf.nn.relu(score - knots[-1]) / calibration.tail)
    below = levels[0] * tf.exp(-tf.nn.relu(knots[0] - score) / calibration.tail)
    return tf.cast(tf.where(score > knots[-1], above, tf.where(score < knots[0], below, inside)), tf.float32)


def anomalous(calibration: Calibration, score: tf.Tensor) -> tf.Tensor:
    """`Calibration.anomalous` of (B,) float32 scores: (B,) bool. In float32, as NumPy compares them."""
    return score > tf.constant(calibration.threshold, tf.float32)
