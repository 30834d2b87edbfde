import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data import pixels
from fanogan_tf.serving import graph_decoding

to_signed = tf.function(graph_decoding.to_signed, input_signature=[tf.TensorSpec((None, 1, 1, 1), tf.float32)])


def grey(values):
    return np.asarray(values, np.float32).reshape(-1, 1, 1, 1)


def test_every_value_of_16_bits_to_the_last_bit():
    stored = np.arange(65536, dtype=np.uint16)
    signed = to_signed(grey(stored) / np.float32(257)).numpy().ravel()
    np.testing.assert_array_equal(signed, pixels.to_signed(stored))


def test_every_value_of_8_bits_to_the_last_bit():
    stored = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_signed(grey(stored)).numpy().ravel(), pixels.to_signed(stored))


@pytest.mark.parametrize("value", [-1.0, 255.5, 65535.0, np.nan])
def test_other_ranges_are_refused(value):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"grey levels must be in \[0, 255\]"):
        to_signed(grey([7.0, value]))
