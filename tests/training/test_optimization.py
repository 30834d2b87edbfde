import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.training.optimization import descend, loss_scaled, loss_scalers
from tests.helpers.tiny import encoder_training, gan


def test_by_hand():
    """f = 3 a - 2 b^2 at (1, 1): the gradient is (3, -4), of norm 5."""
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        loss = 3.0 * a - 2.0 * b**2
    norm = descend(keras.optimizers.SGD(0.1), tape, loss, [a, b])
    np.testing.assert_allclose([norm, a, b], [5.0, 0.7, 1.4], rtol=1e-6)


FLOAT16 = types.SimpleNamespace(compute_dtype="float16")


def scaled(rate, scale, variables):
    optimizer = loss_scaled(keras.optimizers.SGD(rate), FLOAT16)
    optimizer.build(variables)
    optimizer.dynamic_scale.assign(scale)
    return optimizer


def test_gradients_too_small_for_float16():
    """2**-26, half of the smallest float16: lost without loss scaling, exact with it."""
    moved = []
    for make in (lambda _: keras.optimizers.SGD(1.0), lambda variables: scaled(1.0, 2.0**15, variables)):
        a = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            loss = tf.cast(tf.cast(a, tf.float16) * 2.0**-13 * 2.0**-13, tf.float32)
        norm = descend(make([a]), tape, loss, [a])
        moved.append((float(norm), float(a)))
    assert moved == [(0.0, 0.0), (2.0**-26, -(2.0**-26))]


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_overflow_is_left_out(in_graph):
    """The gradient (3, 2), times 2**15 or 2**16 too much for float16, is taken at 2**14."""
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    optimizer = scaled(0.5, 2.0**16, [a, b])

    def step():
        with tf.GradientTape() as tape:
            loss = tf.cast(3.0 * tf.cast(a, tf.float16), tf.float32) + 2.0 * b
        return descend(optimizer, tape, loss, [a, b])

    step = tf.function(step) if in_graph else step
    for scale in (2.0**15, 2.0**14):
        assert float(step()) == float("inf")
        assert (float(a), float(b), float(optimizer.dynamic_scale), int(optimizer.iterations)) == (1.0, 1.0, scale, 0)
    np.testing.assert_allclose(step(), 13**0.5, rtol=1e-6)
    assert (float(a), float(b), float(optimizer.dynamic_scale), int(optimizer.iterations)) == (-0.5, 0.0, 2.0**14, 1)


@pytest.mark.parametrize("make", [gan, encoder_training])
@pytest.mark.parametrize("precision", ["none", "bfloat16", "float16"])
def test_float16_alone_has_loss_scaling(make, precision):
    model = make(precision=precision)
    assert set(loss_scalers(model)) == (set(model.optimizers) if precision == "float16" else set())
