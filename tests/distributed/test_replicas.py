"""Replicas on one device; test_strategy.py tests several."""

import numpy as np
import tensorflow as tf

from fanogan_tf.distributed import replicas


def test_one_device_is_alone():
    assert replicas.count() == 1
    values = [tf.constant(3.0)]
    assert replicas.mean(values) is values


def test_drawn_is_what_the_function_draws():
    drawn = replicas.drawn(tf.random.stateless_uniform, [tf.constant(4), 3], (1, 2), -2.0, maxval=5.0)
    np.testing.assert_array_equal(drawn, tf.random.stateless_uniform((4, 3), (1, 2), -2.0, 5.0))


def test_repeated_returns_the_last_turn():
    total = tf.Variable(0.0)

    def update(turn):
        turn = tf.cast(turn, tf.float32)
        return {"total": total.assign_add(turn), "turn": turn}

    values = tf.function(lambda: replicas.repeated(4, update, ("total", "turn")))()
    assert (float(values["turn"]), float(values["total"]), float(total)) == (3.0, 6.0, 6.0)


def test_cond():
    choose = tf.function(lambda x: replicas.cond(x > 0, lambda: tf.constant(1.0), lambda: tf.constant(2.0)))
    assert [float(choose(tf.constant(x))) for x in (1, -1)] == [1.0, 2.0]
