import itertools

import tensorflow as tf

from fanogan_tf.networks.latent import key


def test_keys_differ():
    keys = [tuple(key(*numbers).numpy()) for numbers in itertools.product(range(4), repeat=4)]
    assert len(set(keys)) == 4**4


def test_same_indices_same_key():
    step = tf.Variable(5, dtype=tf.int64)
    in_graph = tf.function(lambda: key(1, step, 2))()
    assert key(1, 5, 2).numpy().tolist() == in_graph.numpy().tolist()
    assert in_graph.shape == (2,)
