import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.methods.ali import discriminator_loss, encoder_generator_loss
from fanogan_tf.networks.latent import key
from fanogan_tf.training.optimization import loss_scalers
from tests.helpers.joint import WatchedEncoder, WatchedGenerator, ali, vector
from tests.helpers.tiny import SHAPE, assert_same, images, numbers, state

pytestmark = pytest.mark.slow

ENCODED, GENERATED = np.array([0.3, -1.2, 2.0]), np.array([-0.4, 0.9, 1.5])


def sigmoid(logits):
    return 1.0 / (1.0 + np.exp(-np.asarray(logits, np.float64)))


def test_losses_by_their_formulas():
    encoded, generated = sigmoid(ENCODED), sigmoid(GENERATED)
    expected = -np.mean(np.log(encoded)) - np.mean(np.log(1 - generated))
    np.testing.assert_allclose(discriminator_loss(ENCODED, GENERATED), expected, rtol=1e-6)
    # Not saturating: the other two logarithms, not the negative of these.
    expected = -np.mean(np.log(1 - encoded)) - np.mean(np.log(generated))
    np.testing.assert_allclose(encoder_generator_loss(ENCODED, GENERATED), expected, rtol=1e-6)


def test_swapped_pairs_swap_the_terms():
    np.testing.assert_allclose(discriminator_loss(ENCODED, GENERATED), encoder_generator_loss(GENERATED, ENCODED))
    assert abs(float(discriminator_loss(ENCODED, GENERATED) - encoder_generator_loss(ENCODED, GENERATED))) > 0.1
    np.testing.assert_allclose(discriminator_loss(np.zeros(3), np.zeros(3)), 2 * np.log(2))


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_logs_by_their_formulas(prior):
    encoder, generator = WatchedEncoder("linear"), WatchedGenerator()
    model, some = ali(rate=0.0, prior=prior, encoder=encoder, generator=generator), images(0, 5)
    logs = numbers(model.train_step(some))
    ((inputs, codes, encoder_trains, _),) = encoder.seen
    ((z, fake, generator_trains),) = generator.seen
    np.testing.assert_array_equal(inputs, some)
    random = tf.random.stateless_normal if prior == "normal" else lambda *a: tf.random.stateless_uniform(*a, -1.0, 1.0)
    np.testing.assert_array_equal(z, random((5, 3), key(0, 0, 0)))
    assert encoder_trains and generator_trains
    encoded = sigmoid(model.pair_discriminator(inputs, codes)[0])
    generated = sigmoid(model.pair_discriminator(fake, z)[0])
    expected = {
        "loss_d": -np.mean(np.log(encoded)) - np.mean(np.log(1 - generated)),
        "loss_eg": -np.mean(np.log(1 - encoded)) - np.mean(np.log(generated)),
        "discriminator_encoded": np.mean(encoded),
        "discriminator_generated": np.mean(generated),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs.pop(name), value, rtol=1e-4, err_msg=name)
    assert set(logs) == {"gradient_norm_d", "gradient_norm_eg"} and min(logs.values()) > 0


def after_one_step(discriminator_rate, joint_rate):
    """Copies of what discriminator, encoder and generator consist of."""
    model = ali()
    model.compile(keras.optimizers.SGD(joint_rate), keras.optimizers.SGD(discriminator_rate))
    model.train_step(images(0, 5))
    return {name: vector(network.trainable_variables) for name, network in model.networks.items()}


def test_who_is_updated():
    nobody, discriminator, others, all_three = (
        after_one_step(*rates) for rates in [(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.1, 0.1)]
    )
    for name in ("encoder", "generator"):
        np.testing.assert_array_equal(discriminator[name], nobody[name])
        assert np.mean(others[name] != nobody[name]) > 0.5
        # At the discriminator as it was before its own update.
        np.testing.assert_array_equal(all_three[name], others[name])
    np.testing.assert_array_equal(others["pair_discriminator"], nobody["pair_discriminator"])
    assert np.mean(discriminator["pair_discriminator"] != nobody["pair_discriminator"]) > 0.5
    np.testing.assert_array_equal(all_three["pair_discriminator"], discriminator["pair_discriminator"])


def test_moving_averages_move():
    model = ali()
    before = state(model)
    model.train_step(images(0, 5))
    after = state(model)
    for name in ("encoder", "generator"):
        assert np.mean([not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)]) > 0.8, name
    assert int(model.step) == 1
    assert [int(optimizer.iterations) for optimizer in model.optimizers.values()] == [1, 1]


@pytest.mark.parametrize(("loss", "norm", "moved"), [("loss_d", "gradient_norm_d", 1), ("loss_eg", "gradient_norm_eg", 0)])
def test_downhill(loss, norm, moved):
    """A small plain step t against a gradient g makes the loss fall by t |g|^2."""
    model, some = ali(), images(0, 8)
    optimizers = [keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)]
    model.compile(*optimizers)

    def step():
        model.step.assign(0)
        return numbers(model.train_step(some))

    before = step()
    optimizers[moved].learning_rate.assign(1e-3 / before[norm] ** 2)
    assert step()[loss] == pytest.approx(before[loss], abs=1e-6)
    assert before[loss] - step()[loss] == pytest.approx(1e-3, rel=0.2)


def test_the_discriminator_learns():
    """Encoder and generator stand still: it tells the pairs."""
    model, eager = ali(), ali()
    for one in (model, eager):
        one.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(3e-3))
    step, some = tf.function(model.train_step), images(0, 16)
    first, same = numbers(step(some)), numbers(eager.train_step(some))
    assert first == pytest.approx(same, rel=1e-2, abs=1e-4)
    for _ in range(40):
        last = numbers(step(some))
    assert last["loss_d"] < 0.5 * first["loss_d"] and last["loss_eg"] > first["loss_eg"]
    assert last["discriminator_encoded"] > 0.7 and last["discriminator_generated"] < 0.3


def test_encoder_and_generator_learn():
    """The discriminator stands still: they deceive it, both of them."""
    model = ali()
    model.compile(keras.optimizers.Adam(3e-3), keras.optimizers.SGD(0.0))
    step, some = tf.function(model.train_step), images(0, 16)
    first = numbers(step(some))
    for _ in range(40):
        last = numbers(step(some))
    assert last["loss_eg"] < first["loss_eg"] and last["loss_d"] > first["loss_d"]
    assert last["discriminator_encoded"] < first["discriminator_encoded"] - 0.05
    assert last["discriminator_generated"] > first["discriminator_generated"] + 0.05


def test_codes_come_to_match_the_prior():
    """From an encoder that says 4 of every image."""
    model = ali(rate=5e-3)
    model.encoder.dense.bias.assign([4.0, 4.0, 4.0])
    step, some = tf.function(model.train_step), images(0, 32)
    before = np.mean(model.encoder(some, training=True))
    for _ in range(80):
        step(some)
    assert before > 2.5 and np.mean(model.encoder(some, training=True)) < 0.6 * before


def test_random_numbers():
    """New ones in every step, all of them functions of the seed."""
    used = []
    for seed in (0, 1):
        encoder, generator = WatchedEncoder("stochastic_clip"), WatchedGenerator()
        model = ali(seed=seed, encoder=encoder, generator=generator)
        for _ in range(3):
            model.train_step(images(0, 5))
        used += [(z.tobytes(), clip) for (z, *_), (*_, clip) in zip(generator.seen, encoder.seen, strict=True)]
    assert [len(set(drawn)) for drawn in zip(*used, strict=True)] == [6, 6]

    def after(seed):
        model = ali(seed=seed)
        return [numbers(model.train_step(images(i, 5))) for i in range(2)], state(model)

    first, again, other = after(0), after(0), after(1)
    assert first[0] == again[0]
    assert_same(first[1], again[1])
    assert first[0][0]["discriminator_generated"] != other[0][0]["discriminator_generated"]


def test_call_is_in_inference():
    model, some = ali(), images(0, 5)
    z = model.encoder(some, training=False)
    expected = model.pair_discriminator(model.generator(z, training=False), z)[0]
    np.testing.assert_allclose(model(some), expected, rtol=1e-5)
    assert model(tf.zeros((2, *SHAPE))).shape == (2,)


def test_float16_is_near_float32():
    """In its losses and in the gradients, which plain steps show and whose norms are logged, unscaled."""
    logs = []
    for precision in ("none", "float16"):
        model = ali(precision=precision)
        model.compile(keras.optimizers.SGD(2.0**-10), keras.optimizers.SGD(2.0**-10))
        trained = model.encoder_and_generator, model.pair_discriminator.trainable_variables
        before = [vector(variables) for variables in trained]
        logs.append(numbers(model.train_step(images(0, 5))))
        steps = [np.linalg.norm(one - vector(variables)) for one, variables in zip(before, trained, strict=True)]
        norms = [logs[-1]["gradient_norm_eg"], logs[-1]["gradient_norm_d"]]
        np.testing.assert_allclose(np.multiply(steps, 2.0**10), norms, rtol=5e-3)
    assert logs[1] == pytest.approx(logs[0], rel=5e-2)
    assert set(loss_scalers(model)) == {"encoder_generator_optimizer", "discriminator_optimizer"}
