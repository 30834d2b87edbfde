"""What files of one line of Keras need to be read on the other; both lines run these tests."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf import keras_line
from fanogan_tf.networks.spec import NetworkSpec, tf_variables
from fanogan_tf.training.optimization import Adam

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
CONV = ("kernel", "bias")


@pytest.mark.parametrize(
    ("network", "name", "expected"),
    [
        ("resnet", "generator", (*CONV, *NORM, "kernel", *NORM, *CONV, *CONV, *NORM, *CONV)),
        ("resnet", "encoder", (*CONV, *NORM, *NORM, *CONV, *CONV, "kernel", *CONV)),
        ("dcgan", "critic", (*CONV, *CONV)),
        ("dcgan", "generator", ("kernel", *NORM, *CONV)),
    ],
)
def test_variables_have_one_order_on_both_lines(network, name, expected):
    """Weights in files are called by their number: in another order they would be read as others, or not at all."""
    made = getattr(NetworkSpec((8, 8, 1), dim=2, latent_dim=3, network=network), name)()
    assert tuple(map(keras_line.name_of, keras_line.variables(made))) == expected
    made.trainable = False
    assert tuple(map(keras_line.name_of, keras_line.variables(made))) == expected


@pytest.mark.parametrize(("kind", "kept"), [(Adam, 2), (keras.optimizers.RMSprop, 1)])
def test_so_have_those_of_optimizers(kind, kept):
    optimizer, moved = kind(0.25), [tf.Variable(tf.zeros(3)), tf.Variable(tf.zeros(4))]
    optimizer.build(moved)
    iterations, rate, *moments = tf_variables(optimizer)
    assert (iterations.dtype, int(iterations), float(rate)) == (tf.int64, 0, 0.25)
    assert [tuple(moment.shape) for moment in moments] == [(3,)] * kept + [(4,)] * kept


def test_gradients_of_float16_are_scaled_back_once():
    optimizer, moved = keras_line.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=8.0), tf.Variable(1.0)
    optimizer.build([moved])
    optimizer.apply_gradients([(optimizer.scale_loss(tf.constant(3.0)), moved)])
    assert (float(moved), float(optimizer.dynamic_scale), int(optimizer.step_counter)) == (-2.0, 8.0, 1)


def test_an_archive_is_written_in_silence(tmp_path, capsys):
    double = tf.function(lambda x: {"twice": 2.0 * x}, input_signature=[tf.TensorSpec((None,), name="x")])
    double.get_concrete_function()
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", double)
    keras_line.write_out(archive, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    np.testing.assert_array_equal(loaded(x=tf.constant([3.0]))["twice"], [6.0])
    assert capsys.readouterr().out == ""
