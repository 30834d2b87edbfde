import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import name_of, variables
from fanogan_tf.methods import ganomaly as ganomaly_method
from fanogan_tf.methods.ganomaly import Ganomaly, GanomalyDetector, LossWeights
from fanogan_tf.networks import autoencoder
from fanogan_tf.networks.autoencoder import first_value
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.training.loop import Schedule, run_phase
from fanogan_tf.training.optimization import Adam, loss_scalers
from tests.helpers.tiny import assert_same, numbers, state

pytestmark = pytest.mark.slow

SHAPE = (16, 16, 1)
RESTORING = ("first_encoder", "decoder", "second_encoder")


def images(seed, count=6):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, (count, *SHAPE)), tf.float32)


def ganomaly(*, seed=0, rate=1e-3, discriminator_rate=1e-3, weights=None, precision="none", optimizer=Adam):
    keras.utils.set_random_seed(0)
    spec = dataclasses.replace(NetworkSpec(SHAPE, dim=2, latent_dim=3), precision=precision)
    networks = {name: getattr(autoencoder, name)(spec) for name in (*RESTORING, "discriminator")}
    model = Ganomaly(GanomalyDetector.autoencode, networks, weights=weights or LossWeights(), seed=seed)
    model.compile(optimizer(rate), optimizer(discriminator_rate))
    return model


def trainable(model, name):
    return [variable.numpy() for variable in model.networks[name].trainable_variables]


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def test_logs_by_their_formulas():
    model, some = ganomaly(weights=LossWeights(2.0, 30.0, 0.5), rate=0.0, discriminator_rate=0.0), images(0)
    logs = numbers(model.train_step(some))
    z = model.networks["first_encoder"](some, training=True)
    restored = model.networks["decoder"](z, training=True)
    again = model.second_encoder(restored, training=True)
    real, features = model.discriminator(some, training=True)
    fake, restored_features = model.discriminator(restored, training=True)
    probability = lambda logits: 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))  # noqa: E731
    expected = {
        "adversarial": np.mean(np.square(features - restored_features)),
        "contextual": np.mean(np.abs(some - restored)),
        "encoding": np.mean(np.square(z - again)),
        "loss_d": -0.5 * np.mean(np.log(probability(real))) - 0.5 * np.mean(np.log(1 - probability(fake))),
        "discriminator_real": np.mean(probability(real)),
        "discriminator_restored": np.mean(probability(fake)),
        "discriminator_anew": 0.0,
    }
    expected["loss_g"] = 2.0 * expected["adversarial"] + 30.0 * expected["contextual"] + 0.5 * expected["encoding"]
    for name, value in expected.items():
        np.testing.assert_allclose(logs.pop(name), value, rtol=1e-4, err_msg=name)
    assert set(logs) == {"gradient_norm_g", "gradient_norm_d"} and min(logs.values()) > 0


@pytest.mark.parametrize("rates", [(1e-3, 0.0), (0.0, 1e-3)])
def test_who_is_updated(rates):
    """Each optimizer moves its own networks, all of them, and no others."""
    model = ganomaly(rate=rates[0], discriminator_rate=rates[1])
    before = {name: trainable(model, name) for name in model.networks}
    model.train_step(images(0))
    for name in model.networks:
        changed = moved(before[name], trainable(model, name))
        assert np.mean(changed) == (rates[name == "discriminator"] > 0), name
    assert int(model.step) == 1
    assert [int(optimizer.iterations) for optimizer in model.optimizers.values()] == [1, 1]


def test_both_updates_are_from_the_networks_as_they_were():
    both, restoring, discriminating = ganomaly(), ganomaly(discriminator_rate=0.0), ganomaly(rate=0.0)
    for model in (both, restoring, discriminating):
        model.train_step(images(0))
    for name in both.networks:
        other = discriminating if name == "discriminator" else restoring
        for one, same in zip(trainable(both, name), trainable(other, name), strict=True):
            np.testing.assert_allclose(one, same, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("weights", "still"),
    [
        (LossWeights(0.0, 50.0, 0.0), {"second_encoder"}),
        (LossWeights(1.0, 0.0, 0.0), {"second_encoder"}),
        (LossWeights(0.0, 0.0, 1.0), set()),
        (LossWeights(0.0, 0.0, 0.0), set(RESTORING)),
    ],
)
def test_every_term_has_its_weight(weights, still):
    model = ganomaly(weights=weights, optimizer=keras.optimizers.SGD)
    before = {name: trainable(model, name) for name in RESTORING}
    model.train_step(images(0))
    assert {name for name in RESTORING if not any(moved(before[name], trainable(model, name)))} == still


@pytest.mark.parametrize(("loss", "norm", "which"), [("loss_g", "gradient_norm_g", 0), ("loss_d", "gradient_norm_d", 1)])
def test_downhill(loss, norm, which):
    """A small plain step t against a gradient g makes the loss fall by t |g|^2."""
    model, some = ganomaly(rate=0.0, discriminator_rate=0.0, optimizer=keras.optimizers.SGD), images(0)
    before = numbers(model.train_step(some))
    fall = 1e-3 * before[loss]
    list(model.optimizers.values())[which].learning_rate.assign(fall / before[norm] ** 2)
    assert numbers(model.train_step(some))[loss] == pytest.approx(before[loss], rel=1e-5)
    assert before[loss] - numbers(model.train_step(some))[loss] == pytest.approx(fall, rel=0.2)


def limited(monkeypatch, limit):
    monkeypatch.setattr(ganomaly_method, "LEAST_DISCRIMINATOR_LOSS", limit)


@pytest.fixture(scope="module")
def third_loss():
    """The discriminator's loss in the third step."""
    model = ganomaly()
    return [float(model.train_step(images(i))["loss_d"]) for i in range(3)][2]


def test_limit_of_the_authors():
    assert ganomaly_method.LEAST_DISCRIMINATOR_LOSS == 1e-5


def test_good_loss_no_new_discriminator(monkeypatch, third_loss):
    model, usual = ganomaly(), ganomaly()
    for i in range(3):
        limited(monkeypatch, 0.999 * third_loss if i == 2 else 1e-5)
        assert float(model.train_step(images(i))["discriminator_anew"]) == 0.0
        limited(monkeypatch, 1e-5)
        usual.train_step(images(i))
    assert_same(state(model), state(usual))


@pytest.mark.parametrize("compiled", [False, True])
def test_low_loss_new_discriminator(monkeypatch, third_loss, compiled):
    """Weights, moving averages and the optimizer's memory; the other networks go on as they would have."""
    model, usual = ganomaly(seed=7), ganomaly(seed=7)
    for i in range(2):
        model.train_step(images(i))
        usual.train_step(images(i))
    usual.train_step(images(2))
    limited(monkeypatch, 1.001 * third_loss)
    step = tf.function(model.train_step) if compiled else model.train_step
    logs = numbers(step(images(2)))
    assert logs["discriminator_anew"] == 1.0 and logs["loss_d"] == pytest.approx(third_loss, rel=1e-4)

    for i, variable in enumerate(variables(model.discriminator)):
        np.testing.assert_array_equal(variable, first_value(variable, key(7, 2, i)))
    optimizer = model.optimizers["discriminator_optimizer"]
    memory = [variable.numpy() for variable in variables(optimizer) if name_of(variable) != "learning_rate"]
    assert len(memory) == 1 + 2 * len(model.discriminator.trainable_variables)
    assert all(np.all(value == 0) for value in memory)
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)

    other, expected = state(model), state(usual)
    assert int(model.step) == 3
    for name in (*RESTORING, "restoring_optimizer"):
        for one, same in zip(other[name], expected[name], strict=True):
            np.testing.assert_allclose(one, same, rtol=1e-3, atol=1e-6, err_msg=name)


def test_new_discriminators_are_of_seed_and_step(monkeypatch):
    limited(monkeypatch, np.inf)

    def after(seed, steps):
        model = ganomaly(seed=seed)
        for i in range(steps):
            model.train_step(images(i))
        return np.concatenate([value.ravel() for value in trainable(model, "discriminator")])

    one, again, later, other = after(0, 1), after(0, 1), after(0, 2), after(1, 1)
    np.testing.assert_array_equal(one, again)
    kept = one != 0.0  # Offsets of batch normalisation are 0 each time.
    assert kept.mean() > 0.9
    assert not np.any((one == later)[kept]) and not np.any((one == other)[kept])


def test_first_steps_after_it_are_of_the_step_size(monkeypatch):
    """With the moments of vanished gradients they would be many times that."""
    model = ganomaly()
    for velocity in model.optimizers["discriminator_optimizer"]._velocities:
        velocity.assign(tf.fill(velocity.shape, 1e-20))
    model.optimizers["discriminator_optimizer"].iterations.assign(100_000)
    limited(monkeypatch, np.inf)
    model.train_step(images(0))
    limited(monkeypatch, 0.0)
    before = trainable(model, "discriminator")
    model.train_step(images(1))
    steps = [np.abs(a - b).max() for a, b in zip(before, trainable(model, "discriminator"), strict=True)]
    assert max(steps) < 1.01e-3


def test_same_seed_same_numbers():
    first, again = ganomaly(), ganomaly()
    for i in range(2):
        assert numbers(first.train_step(images(i))) == numbers(again.train_step(images(i)))
    assert_same(state(first), state(again))


def noise(start):
    return tf.data.Dataset.range(start, tf.int64.max).map(
        lambda number: tf.random.stateless_uniform((4, *SHAPE), tf.stack([number, 5]), -1.0, 1.0)
    )


def trained(model, folder):
    graph = tf.function(model.call).get_concrete_function(tf.TensorSpec((None, *SHAPE), tf.float32)).graph
    every = {"checkpoint_every": 2, "log_every": 100, "sample_every": 100}
    run_phase(model, noise, Schedule(4, **every), name="ganomaly", folder=folder, sheets={}, graph=graph)
    return model


def test_resumed_is_never_stopped(monkeypatch, tmp_path):
    """Bit for bit, with new discriminators before and after the stop at the second iteration."""
    limited(monkeypatch, np.inf)
    whole = state(trained(ganomaly(), tmp_path))
    for path in (tmp_path / "checkpoints").glob("step-4.*"):
        path.unlink()
    newest = 'model_checkpoint_path: "step-2"\nall_model_checkpoint_paths: "step-2"\n'
    (tmp_path / "checkpoints" / "checkpoint").write_text(newest)
    resumed = trained(ganomaly(), tmp_path)
    assert whole["step"] == [4]
    assert_same(state(resumed), whole)


def test_it_learns():
    model, white = ganomaly(rate=5e-3), 0.5 * tf.ones((8, *SHAPE)) + 0.1 * images(0, 8)
    step = tf.function(model.train_step)
    logs = [numbers(step(white)) for _ in range(60)]
    assert logs[-1]["contextual"] < 0.5 * logs[0]["contextual"]
    z, again = model(white)
    assert z.shape == again.shape == (8, 3)
    np.testing.assert_array_equal(z, model.networks["first_encoder"](white, training=False))
    np.testing.assert_array_equal(again, model.second_encoder(model.networks["decoder"](z, training=False), training=False))


def test_float16_scales_the_loss_and_keeps_the_scale(monkeypatch):
    model = ganomaly(precision="float16")
    scaler = loss_scalers(model)["discriminator_optimizer"]
    for one in loss_scalers(model).values():
        one.dynamic_scale.assign(2.0**8)
    model.train_step(images(0))
    assert int(scaler.inner_optimizer.iterations) == 1
    limited(monkeypatch, np.inf)
    logs = numbers(model.train_step(images(1)))
    assert logs["discriminator_anew"] == 1.0 and np.all(np.isfinite(list(logs.values())))
    assert float(scaler.dynamic_scale) == 2.0**8 and int(scaler.inner_optimizer.iterations) == 0
    memory = [variable.numpy() for variable in variables(scaler.inner_optimizer) if name_of(variable) != "learning_rate"]
    assert all(np.all(value == 0) for value in memory)
