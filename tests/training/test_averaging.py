import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks.spec import tf_variables
from fanogan_tf.training.averaging import Average
from fanogan_tf.training.checkpointing import Checkpoints
from tests.helpers.tiny import SHAPE, assert_same, gan, images, noise, state, train


def one_weight(value: float) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.full((1, 1), value)])
    return model


def test_by_hand():
    network = one_weight(1.0)
    average = Average([network], decay=0.5)
    # d = 1/10, 2/11, ...: 1 -> .1 * 1 + .9 * 11 = 10, then 2/11 * 10 + 9/11 * 21 = 19, then by 3/12 to 1/4 * 19 + 3/4 * 31 = 28.
    for count, (weight, expected) in enumerate([(11.0, 10.0), (21.0, 19.0), (31.0, 28.0)]):
        network.set_weights([np.full((1, 1), weight)])
        average.update(tf.constant(count, tf.int64))
        np.testing.assert_allclose(average.variables[0].numpy(), [[expected]], rtol=1e-6)
    # Once it is old, the decay itself: .5 * 28 + .5 * 32.
    network.set_weights([np.full((1, 1), 32.0)])
    average.update(tf.constant(1000, tf.int64))
    np.testing.assert_allclose(average.variables[0].numpy(), [[30.0]], rtol=1e-6)
    average.put()
    np.testing.assert_allclose(network.get_weights()[0], [[30.0]], rtol=1e-6)


def test_without_one_nothing_is_kept():
    assert not gan().averages
    before = state(gan())
    model = gan()
    model.use_averages()
    assert_same(state(model), before)


def test_training_is_the_same_but_the_average_lags_behind():
    plain, averaged = gan(rate=1e-2), gan(rate=1e-2, average=0.9)
    for model in (plain, averaged):
        for step in range(4):
            model.train_step(images(step, 12))
    for name in ("generator", "critic", "generator_optimizer", "critic_optimizer"):
        np.testing.assert_equal(state(averaged)[name], state(plain)[name])
    first = state(gan())
    moved = [np.abs(a - b).sum() for a, b in zip(state(averaged)["generator"], first["generator"], strict=True)]
    averaged.use_averages()
    lagging = [np.abs(a - b).sum() for a, b in zip(state(averaged)["generator"], first["generator"], strict=True)]
    assert 0.0 < sum(lagging) < sum(moved)
    # The moving statistics of batch normalisation are averaged too: without them G would be another one.
    statistics = [
        v for v, k in zip(tf_variables(averaged.generator), averaged.generator.variables, strict=True) if not k.trainable
    ]
    trained = [v for v, k in zip(tf_variables(plain.generator), plain.generator.variables, strict=True) if not k.trainable]
    assert statistics and all(np.abs(a - b).max() > 0 for a, b in zip(statistics, trained, strict=True))


@pytest.mark.slow
def test_going_on_equals_not_having_stopped(tmp_path):
    through = train(gan(average=0.9), tmp_path / "a", 6, noise(12))
    train(gan(average=0.9), tmp_path / "b", 3, noise(12))
    resumed = train(gan(average=0.9), tmp_path / "b", 6, noise(12))
    assert state(through)["average"][0].any()
    assert_same(state(resumed), state(through))


def test_checkpoint_holds_it(tmp_path):
    model = gan(average=0.9)
    for variable in model.averages["average"].variables:
        variable.assign(tf.fill(variable.shape, tf.cast(3.0, variable.dtype)))
    Checkpoints(model, tmp_path).save()
    again = gan(average=0.9)
    Checkpoints(again, tmp_path).restore()
    again.use_averages()
    assert all((values == 3.0).all() for values in state(again)["generator"])
    assert again.generator(tf.zeros((1, 3))).shape == (1, *SHAPE)
