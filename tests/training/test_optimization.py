import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks.spec import tf_variables
from fanogan_tf.training.optimization import Adam, descend, loss_scaled, loss_scalers
from tests.helpers.tiny import encoder_training, gan


def test_by_hand():
    """f = 3 a - 2 b^2 at (1, 1): the gradient is (3, -4), of norm 5."""
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        loss = 3.0 * a - 2.0 * b**2
    norm = descend(keras.optimizers.SGD(0.1), tape, loss, [a, b])
    np.testing.assert_allclose([norm, a, b], [5.0, 0.7, 1.4], rtol=1e-6)


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.0, 0.9), (0.5, 0.999), (0.9, 0.999)])
def test_adam_is_that_of_keras(beta_1, beta_2):
    """After ten steps of random gradients, two variables and all that is kept of them are the same but for rounding."""
    random = np.random.default_rng(0)
    first = [random.normal(size=shape).astype(np.float32) for shape in ((3, 4), (5,))]
    gradients = [[random.normal(size=part.shape).astype(np.float32) for part in first] for _ in range(10)]
    ends = []
    for kind in (Adam, keras.optimizers.Adam):
        variables = [tf.Variable(part) for part in first]
        optimizer = kind(1e-2, beta_1=beta_1, beta_2=beta_2)
        optimizer.build(variables)
        apply = tf.function(lambda *some, to=optimizer, of=variables: to.apply_gradients(zip(some, of, strict=True)))
        for some in gradients:
            apply(*map(tf.constant, some))
        ends.append([*variables, *tf_variables(optimizer)])
    assert len(ends[0]) == len(ends[1]) == 8 and int(ends[0][2]) == 10
    for ours, theirs, before in zip(*ends, [*first, *[None] * 6], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
        assert before is None or np.abs(ours.numpy() - before).min() > 1e-3


def test_adam_takes_few_operations_for_each_variable():
    """Beside those that it takes for all of them together: graphs are traced sooner. Steps take as long."""

    def operations(kind, count):
        variables = [tf.Variable(tf.ones(3)) for _ in range(count)]
        optimizer = kind(1e-2)
        optimizer.build(variables)
        apply = tf.function(lambda *some: optimizer.apply_gradients(zip(some, variables, strict=True)))
        return len(apply.get_concrete_function(*[tf.ones(3)] * count).graph.get_operations())

    added = [operations(kind, 12) - operations(kind, 2) for kind in (Adam, keras.optimizers.Adam)]
    assert added[0] <= 10 * 7 and added[1] > 10 * 30


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
