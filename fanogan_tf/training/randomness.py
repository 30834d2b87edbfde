"""Random numbers as a function of (seed, step): the state to save and restore is the step alone, on any number of devices."""

import tensorflow as tf


def key(seed: int, *indices: int | tf.Tensor) -> tf.Tensor:
    """A seed (2,) for tf.random.stateless_*, different for every combination of `seed` and `indices`."""
    result = tf.constant([seed, 0], tf.int32)
    for index in indices:
        result = tf.random.experimental.stateless_fold_in(result, tf.cast(index, tf.int32))
    return result
