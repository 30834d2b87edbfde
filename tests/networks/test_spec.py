import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import tf_variable
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

NETWORKS = ("generator", "critic", "encoder")
SHAPE = (8, 8, 1)


def outputs(network):
    images = np.linspace(-1, 1, 2 * 64, dtype=np.float32).reshape(2, *SHAPE)
    z = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    return tf.nest.flatten(network(z if network.name == "generator" else images))


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16(name):
    low = getattr(NetworkSpec(SHAPE, 2, 3, bound="linear", precision="bfloat16"), name)()
    full = getattr(NetworkSpec(SHAPE, 2, 3, bound="linear"), name)()
    full.set_weights(low.get_weights())
    assert {variable.dtype for variable in tf_variables(low)} == {tf.float32}
    for one, other in zip(outputs(low), outputs(full), strict=True):
        assert one.dtype == other.dtype == tf.float32
        largest = np.abs(other).max()
        difference = np.abs(one - other).max()
        # Near, but with bfloat16's eight bits.
        assert 1e-5 * largest < difference < 0.1 * largest


def test_precision_applies_to_these_networks_only():
    before = keras.mixed_precision.global_policy().name
    NetworkSpec(SHAPE, 2, 3, precision="bfloat16").critic()
    assert keras.mixed_precision.global_policy().name == before
    with pytest.raises(ValueError, match="float3"):
        NetworkSpec(SHAPE, 2, 3, precision="float3").critic()
    assert keras.mixed_precision.global_policy().name == before


def test_settings_reach_the_networks():
    encoder = NetworkSpec(SHAPE, 2, 3, bound="clip_0.5", folded=False).encoder()
    assert encoder.bound == "clip_0.5" and not encoder.body.blocks[0].conv_2.folded
    assert NetworkSpec(SHAPE, 2, 3).generator().blocks[0].conv_1.folded


def test_saved_as_json():
    spec = NetworkSpec((8, 10, 1), 2, 3, bound="tanh_3", folded=False, precision="bfloat16")
    values = json.loads(json.dumps(dataclasses.asdict(spec)))
    assert NetworkSpec(**values | {"image_shape": tuple(values["image_shape"])}) == spec


@pytest.mark.parametrize("name", NETWORKS)
def test_tf_variables_are_all_of_them(name):
    network = getattr(NetworkSpec((16, 16, 1), 2, 3), name)()
    variables = tf_variables(network)
    assert all(isinstance(variable, tf.Variable) for variable in variables)
    assert {id(v) for v in variables} == {id(tf_variable(v)) for v in network.weights} and len(variables) == len(network.weights)
    # Two blocks: 1 dense, 2 shortcuts, 2 x 2 convolutions, 1 convolution; the normalisations' gains.
    assert sum(len(v.shape) in (2, 4) for v in variables) == 8
    assert sum("gamma" in v.name for v in variables) == (5 if name == "generator" else 4)
    variables[3].assign(tf.zeros_like(variables[3]) + 7.0)
    assert sum(np.all(weights == 7.0) for weights in network.get_weights()) == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_order_of_variables_of_a_frozen_network(name):
    """The detector is saved after the encoder phase froze generator and critic, and loaded into networks that are not frozen."""
    network = getattr(NetworkSpec(SHAPE, 2, 3), name)()
    before = [id(variable) for variable in tf_variables(network)]
    network.trainable = False
    assert [id(variable) for variable in tf_variables(network)] == before


def test_tf_variables_of_an_optimizer():
    optimizer = keras.optimizers.Adam(0.25)
    weight = tf.Variable(tf.zeros(3))
    optimizer.build([weight])
    variables = tf_variables(optimizer)
    assert sorted(tuple(v.shape) for v in variables) == [(), (), (3,), (3,)]  # iterations, learning rate, two moments
    assert any(v.shape == () and float(v) == 0.25 for v in variables)
