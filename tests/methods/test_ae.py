import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.training.optimization import loss_scalers
from tests.helpers.joint import WatchedEncoder, WatchedGenerator, autoencoder, vector
from tests.helpers.tiny import assert_same, images, numbers, state


def test_loss_by_its_formula():
    encoder, generator = WatchedEncoder(), WatchedGenerator()
    model, some = autoencoder(encoder=encoder, generator=generator), images(0, 5)
    logs = numbers(model.train_step(some))
    ((inputs, codes, encoder_trains, _),) = encoder.seen
    ((z, restored, generator_trains),) = generator.seen
    np.testing.assert_array_equal(inputs, some)
    np.testing.assert_array_equal(z, codes)
    assert encoder_trains and generator_trains
    assert logs.pop("gradient_norm_ae") > 0
    assert logs == {"loss_ae": pytest.approx(float(np.mean(np.square(some - restored))), rel=1e-5)}


def test_both_networks_are_updated_as_one():
    model = autoencoder()
    before = state(model)
    for i in range(2):
        model.train_step(images(i, 5))
    after = state(model)
    for name in ("encoder", "generator"):
        # What comes right before a batch normalisation has no say over the mean; all else moves, the moving averages too.
        assert np.mean([not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)]) > 0.8, name
    assert int(model.step) == 2
    assert list(model.optimizers) == ["autoencoder_optimizer"] and int(model.optimizers["autoencoder_optimizer"].iterations) == 2


def test_downhill():
    """A small plain step t against a gradient g makes the loss fall by t |g|^2: the gradient of both networks."""
    model, some = autoencoder(), images(0, 8)
    optimizer = keras.optimizers.SGD(0.0)
    model.compile(optimizer)
    before = numbers(model.train_step(some))
    optimizer.learning_rate.assign(1e-4 / before["gradient_norm_ae"] ** 2)
    assert numbers(model.train_step(some))["loss_ae"] == pytest.approx(before["loss_ae"], abs=1e-6)
    assert before["loss_ae"] - numbers(model.train_step(some))["loss_ae"] == pytest.approx(1e-4, rel=0.2)


def test_it_learns():
    model, eager, some = autoencoder(rate=3e-3), autoencoder(rate=3e-3), images(0, 8)
    step = tf.function(model.train_step)
    first, same = numbers(step(some)), numbers(eager.train_step(some))
    assert first == pytest.approx(same, rel=1e-3)
    for _ in range(60):
        last = float(step(some)["loss_ae"])
    assert last < 0.5 * first["loss_ae"]


def test_stochastic_clip_has_a_new_seed_in_every_step():
    def seeds(seed):
        encoder = WatchedEncoder("stochastic_clip")
        model = autoencoder(encoder=encoder, seed=seed)
        for _ in range(3):
            model.train_step(images(0, 5))
        return [used for *_, used in encoder.seen]

    assert len({*seeds(0), *seeds(1)}) == 6 and None not in seeds(0)
    assert seeds(0) == seeds(0)


def test_call_is_in_inference():
    model, some = autoencoder(), images(0, 5)
    expected = model.generator(model.encoder(some, training=False), training=False)
    np.testing.assert_array_equal(model(some), expected)
    np.testing.assert_allclose(model(some[:1]), expected[:1], rtol=1e-4, atol=1e-5)


def test_same_numbers_again():
    first, again = autoencoder(), autoencoder()
    for i in range(2):
        assert numbers(first.train_step(images(i, 5))) == numbers(again.train_step(images(i, 5)))
    assert_same(state(first), state(again))


def test_float16_is_near_float32():
    """On many images: the statistics of a few, which batch normalisation divides by, make much of float16's rounding."""
    logs, moves = [], []
    for precision in ("none", "float16"):
        model = autoencoder(precision=precision)
        model.compile(keras.optimizers.SGD(2.0**-6))
        before = vector(model.trained)
        logs.append(numbers(model.train_step(images(0, 32))))
        moves.append((before - vector(model.trained)) * 2.0**6)
    assert set(loss_scalers(model)) == {"autoencoder_optimizer"}
    assert logs[1] == pytest.approx(logs[0], rel=3e-2)
    assert np.linalg.norm(moves[1] - moves[0]) < 5e-2 * np.linalg.norm(moves[0])
    np.testing.assert_allclose(np.linalg.norm(moves[1]), logs[1]["gradient_norm_ae"], rtol=1e-3)
