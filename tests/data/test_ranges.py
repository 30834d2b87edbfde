import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.pixels import to_signed


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (np.uint8, [0, 51, 204, 255], [-1.0, -0.6, 0.6, 1.0]),
        (np.uint16, [0, 13107, 52428, 65535], [-1.0, -0.6, 0.6, 1.0]),
    ],
)
def test_hand_values(dtype, values, expected):
    array = to_signed(np.array(values, dtype))
    tensor = to_signed(tf.constant(values, tf.as_dtype(dtype)))
    assert array.dtype == np.float32 and tensor.dtype == tf.float32
    np.testing.assert_allclose(array, expected, atol=1e-7)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-7)


def test_eight_bits_kept_as_sixteen_are_the_same_image():
    eight = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(to_signed(eight.astype(np.uint16) * 257), to_signed(eight), atol=1e-7)


def test_refuses_floats():
    with pytest.raises(KeyError):
        to_signed(np.zeros(3, np.float32))
