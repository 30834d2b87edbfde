import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import KERAS_2
from fanogan_tf.networks.latent import key
from fanogan_tf.training import losses
from fanogan_tf.training.gan import FLOAT16_PENALTY_SCALE
from fanogan_tf.training.loop import BadLossGuard
from fanogan_tf.training.optimization import loss_scalers
from tests.helpers.tiny import assert_same, gan, images, numbers, state

BATCH = 4


def test_numbers_of_updates():
    model = gan(n_critic=3)
    for _ in range(2):
        model.train_step(images(0, 3 * BATCH))
    assert int(model.step) == 2
    assert int(model.optimizers["critic_optimizer"].iterations) == 6
    assert int(model.optimizers["generator_optimizer"].iterations) == 2


def test_one_step_changes_both_networks():
    model = gan()
    before = state(model)
    model.train_step(images(0, 3 * BATCH))
    after = state(model)
    for name in ("generator", "critic"):
        # The critic's loss does not depend on its last bias; all others move.
        changed = [not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)]
        assert np.mean(changed) > 0.8, name


def test_every_turn_of_the_critic_has_its_own_images():
    """Other images for one turn make another critic, whichever turn it is."""
    some = images(0, 2 * BATCH)
    critics = []
    for turn in (None, 0, 1):
        # The same in all turns but one.
        parts = [images(1, BATCH) if i == turn else some[i * BATCH : (i + 1) * BATCH] for i in range(2)]
        model = gan(n_critic=2)
        model.train_step(tf.concat(parts, axis=0))
        critics.append(model.critic.get_weights())
    for critic in critics[1:]:
        assert any(np.abs(a - b).max() > 1e-6 for a, b in zip(critics[0], critic, strict=True))


def test_what_each_turn_sees(monkeypatch):
    seen, original = [], losses.interpolated
    monkeypatch.setattr(losses, "interpolated", lambda *arguments: seen.append(arguments) or original(*arguments))
    model, some = gan(n_critic=3), images(0, 3 * BATCH)
    model.train_step(some)
    model.train_step(some)
    for i, (real, _, _) in enumerate(seen):
        np.testing.assert_array_equal(real, some[i % 3 * BATCH : (i % 3 + 1) * BATCH])
    # Six times fresh noise and fresh alphas.
    assert len(seen) == 6
    assert len({fake.numpy().tobytes() for _, fake, _ in seen}) == 6
    assert len({seed.numpy().tobytes() for _, _, seed in seen}) == 6


def test_logs_by_their_formulas():
    """With step size 0 the networks stand still, and the logs are those of the last turn."""
    model, some = gan(n_critic=3, rate=0.0, penalty_weight=7.0), images(0, 3 * BATCH)
    critic = model.critic
    logs = numbers(model.train_step(some))
    fake = model.generator(model.latent(BATCH, 0, 2, 0), training=True)
    real_value, fake_value = np.mean(critic(some[2 * BATCH :])[0]), np.mean(critic(fake)[0])
    mixed = losses.interpolated(some[2 * BATCH :], fake, key(0, 0, 2, 1))
    penalty = float(losses.gradient_penalty(lambda x: critic(x)[0], mixed))
    generated = np.mean(critic(model.generator(model.latent(BATCH, 0, 3, 0), training=True))[0])
    expected = {
        "critic_real": real_value,
        "critic_fake": fake_value,
        "wasserstein": real_value - fake_value,
        "gradient_penalty": penalty,
        "loss_d": fake_value - real_value + 7.0 * penalty,
        "loss_g": -generated,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs.pop(name), value, rtol=1e-4, atol=1e-6, err_msg=name)
    assert set(logs) == {"gradient_norm_d", "gradient_norm_g"} and min(logs.values()) > 0


def test_loss_is_the_sum_of_what_is_logged():
    model = gan(penalty_weight=4.0)
    for i in range(2):
        logs = numbers(model.train_step(images(i, 3 * BATCH)))
        np.testing.assert_allclose(
            logs["loss_d"], logs["critic_fake"] - logs["critic_real"] + 4 * logs["gradient_penalty"], rtol=1e-5
        )
        np.testing.assert_allclose(logs["wasserstein"], logs["critic_real"] - logs["critic_fake"], rtol=1e-5)


def test_a_lazy_penalty_is_taken_in_each_third_update_and_thrice_as_strong(monkeypatch):
    """Of six updates, in the third and the last."""
    taken, original = [], losses.interpolated
    monkeypatch.setattr(losses, "interpolated", lambda *arguments: taken.append(1) or original(*arguments))
    model = gan(n_critic=2, penalty_weight=4.0, penalty_every=3)
    for taken_until_now, strength in ((0, 0), (1, 0), (2, 12)):
        logs = numbers(model.train_step(images(0, 2 * BATCH)))
        assert len(taken) == taken_until_now and (logs["gradient_penalty"] > 0) == (strength > 0)
        expected = logs["critic_fake"] - logs["critic_real"] + strength * logs["gradient_penalty"]
        np.testing.assert_allclose(logs["loss_d"], expected, rtol=1e-5)


@pytest.mark.parametrize(("loss", "norm", "moved"), [("loss_d", "gradient_norm_d", 1), ("loss_g", "gradient_norm_g", 0)])
def test_downhill(loss, norm, moved):
    """A small plain step t against a gradient g makes the loss fall by t |g|^2."""
    model, some = gan(n_critic=1), images(0, BATCH)
    optimizers = [keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)]
    model.compile(*optimizers)

    def step():
        model.step.assign(0)
        return numbers(model.train_step(some))

    before = step()
    optimizers[moved].learning_rate.assign(2e-3 / before[norm] ** 2)
    assert step()[loss] == pytest.approx(before[loss], abs=1e-6)
    assert before[loss] - step()[loss] == pytest.approx(2e-3, rel=0.2)


def test_same_seed_same_numbers():
    def after(seed):
        model = gan(seed=seed, n_critic=2)
        logs = [numbers(model.train_step(images(0, 2 * BATCH))) for _ in range(2)]
        return logs, state(model)

    first, again, other = after(0), after(0), after(1)
    assert first[0] == again[0]
    assert_same(first[1], again[1])
    assert first[0][0]["critic_fake"] != other[0][0]["critic_fake"]
    assert first[0][0]["gradient_penalty"] != other[0][0]["gradient_penalty"]


def test_latent():
    model = gan()
    z = model.latent(4000, 1, 2).numpy()
    assert z.shape == (4000, 3)
    np.testing.assert_allclose(z.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.08)
    assert not np.isin(model.latent(100, 1, 3), z).any()


def test_it_learns():
    """On white images: first the critic tells them from the generator's, then the generator's become brighter."""
    model, eager, white = gan(n_critic=2, rate=5e-3), gan(n_critic=2, rate=5e-3), tf.ones((16, 8, 8, 1))
    z = model.latent(32, 99)
    before = np.mean(model.generator(z, training=True))
    step = tf.function(model.train_step)
    first, same = numbers(step(white)), numbers(eager.train_step(white))
    # The compiled step is the one that the other tests look at.
    assert first.keys() == same.keys()
    for name in first:
        np.testing.assert_allclose(first[name], same[name], rtol=1e-2, atol=1e-4, err_msg=name)
    gaps = [float(step(white)["wasserstein"]) for _ in range(60)]
    assert max(gaps[:30]) > first["wasserstein"] + 0.5
    assert np.mean(model.generator(z, training=True)) > before + 0.2


def test_call_is_the_critic_of_the_generator():
    model = gan()
    z = model.latent(2, 0)
    np.testing.assert_array_equal(model(z), model.critic(model.generator(z, training=False))[0])


def test_float16_is_near_float32():
    """In its losses and in the gradients, which plain steps show and whose norms are logged, unscaled."""
    logs, gradients = [], []
    for precision in ("none", "float16"):
        model = gan(n_critic=1, precision=precision)
        model.compile(keras.optimizers.SGD(2.0**-6), keras.optimizers.SGD(2.0**-6))
        for optimizer in loss_scalers(model).values():
            optimizer.dynamic_scale.assign(2.0**8)
        before = weights(model)
        logs.append(numbers(model.train_step(images(0, BATCH))))
        gradients.append([(one - other) * 2.0**6 for one, other in zip(before, weights(model), strict=True)])
    for name, value in logs[0].items():
        np.testing.assert_allclose(logs[1][name], value, rtol=2e-2, err_msg=name)
    for wide, narrow in zip(*gradients, strict=True):
        assert np.linalg.norm(narrow - wide) < 0.1 * np.linalg.norm(wide)
    norms = [np.linalg.norm(gradient) for gradient in gradients[1]]
    np.testing.assert_allclose(norms, [logs[1]["gradient_norm_g"], logs[1]["gradient_norm_d"]], rtol=1e-3)


def weights(model):
    """What is trained, one vector per network."""
    return [np.concatenate([v.numpy().ravel() for v in network.trainable_variables]) for network in model.networks.values()]


@pytest.mark.parametrize(("precision", "scale"), [("none", 1.0), ("bfloat16", 1.0), ("float16", FLOAT16_PENALTY_SCALE)])
def test_float16_alone_scales_the_penalty(monkeypatch, precision, scale):
    seen, original = [], losses.gradient_penalty
    monkeypatch.setattr(losses, "gradient_penalty", lambda *arguments: seen.append(arguments[2]) or original(*arguments))
    gan(n_critic=1, precision=precision).train_step(images(0, BATCH))
    assert seen == [scale]


def test_float16_finds_its_scale():
    """From far too high a scale: at first losses alone, which is no error, then updates."""
    model = gan(n_critic=3, precision="float16")
    optimizers = loss_scalers(model)
    for optimizer in optimizers.values():
        optimizer.dynamic_scale.assign(2.0**20)
    guard = BadLossGuard(checkpoints=None)
    guard.set_model(model)
    before, step = weights(model), tf.function(model.train_step)
    for i in range(20):
        logs = numbers(step(images(i, 3 * BATCH)))
        guard.on_train_batch_end(i, logs)
        if i == 0:
            assert {name for name, value in logs.items() if not np.isfinite(value)} == {"gradient_norm_d", "gradient_norm_g"}
            assert [float(optimizer.dynamic_scale) for optimizer in optimizers.values()] == [2.0**19, 2.0**17]
            assert [int(optimizer.iterations) for optimizer in optimizers.values()] == [0, 0]
            np.testing.assert_array_equal(np.concatenate(weights(model)), np.concatenate(before))
    # On Keras 2 a norm may overflow at the last step as well, where the scale has just grown.
    assert np.all(np.isfinite([value for name, value in logs.items() if not (KERAS_2 and "norm" in name)]))
    # Every update was made or halved the scale.
    made = [int(optimizer.iterations) for optimizer in optimizers.values()]
    halved = [20 - np.log2(float(optimizer.dynamic_scale)) for optimizer in optimizers.values()]
    np.testing.assert_array_equal(np.add(made, halved), [20, 60])
    assert min(made) >= 5 and min(np.max(np.abs(a - b)) for a, b in zip(weights(model), before, strict=True)) > 0
    assert all(np.all(np.isfinite(value)) for values in state(model).values() for value in values)
