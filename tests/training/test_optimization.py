import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.training.optimization import descend


def test_by_hand():
    """f = 3 a - 2 b^2 at (1, 1): the gradient is (3, -4), of norm 5."""
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        loss = 3.0 * a - 2.0 * b**2
    norm = descend(keras.optimizers.SGD(0.1), tape, loss, [a, b])
    np.testing.assert_allclose([norm, a, b], [5.0, 0.7, 1.4], rtol=1e-6)
