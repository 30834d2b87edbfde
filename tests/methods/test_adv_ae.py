import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks.latent import key
from fanogan_tf.training import losses
from fanogan_tf.training.gan import CRITIC_LOGS
from fanogan_tf.training.optimization import loss_scalers
from tests.helpers.joint import WatchedEncoder, WatchedGenerator, adversarial, vector
from tests.helpers.tiny import assert_same, images, numbers, state

pytestmark = pytest.mark.slow

BATCH = 4


def test_logs_by_their_formulas():
    """With step size 0 the networks stand still, and the critic's logs are those of its last turn."""
    generator = WatchedGenerator()
    model, some = adversarial(rate=0.0, n_critic=2, weight=0.7, penalty_weight=7.0, generator=generator), images(0, 3 * BATCH)
    logs = numbers(model.train_step(some))
    fakes = [restored for _, restored, _ in generator.seen]
    parts = [some[i * BATCH : (i + 1) * BATCH].numpy() for i in range(3)]
    real_value, fake_value = (np.mean(model.critic(x)[0]) for x in (parts[1], fakes[1]))
    mixed = losses.interpolated(tf.constant(parts[1]), tf.constant(fakes[1]), key(0, 0, 1, 1))
    penalty = float(losses.gradient_penalty(lambda x: model.critic(x)[0], mixed))
    residual, adversarial_value = np.mean(np.square(parts[2] - fakes[2])), -np.mean(model.critic(fakes[2])[0])
    expected = {
        "critic_real": real_value,
        "critic_fake": fake_value,
        "wasserstein": real_value - fake_value,
        "gradient_penalty": penalty,
        "loss_d": fake_value - real_value + 7.0 * penalty,
        "residual": residual,
        "adversarial": adversarial_value,
        "loss_ae": residual + 0.7 * adversarial_value,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs.pop(name), value, rtol=1e-4, atol=1e-6, err_msg=name)
    assert set(logs) == {"gradient_norm_d", "gradient_norm_ae"} and min(logs.values()) > 0


def test_every_update_has_its_own_images():
    """Which encoder and generator restore in training mode."""
    encoder, generator = WatchedEncoder(), WatchedGenerator()
    model, some = adversarial(n_critic=3, encoder=encoder, generator=generator), images(0, 4 * BATCH)
    model.train_step(some)
    assert [seen[2] for seen in (*encoder.seen, *generator.seen)] == 8 * [True]
    for i, (inputs, codes, _, _) in enumerate(encoder.seen):
        np.testing.assert_array_equal(inputs, some[i * BATCH : (i + 1) * BATCH])
        np.testing.assert_array_equal(generator.seen[i][0], codes)


def test_what_the_critic_is_shown(monkeypatch):
    """Real images against what is made of the very same, mixed by fresh alphas."""
    seen, original = [], losses.interpolated
    monkeypatch.setattr(losses, "interpolated", lambda *arguments: seen.append(arguments) or original(*arguments))
    generator = WatchedGenerator()
    model, some = adversarial(n_critic=2, generator=generator), images(0, 3 * BATCH)
    for _ in range(2):
        model.train_step(some)
    restored = [image for i, (_, image, _) in enumerate(generator.seen) if i % 3 < 2]
    assert len(seen) == len(restored) == 4
    for i, (real, fake, _) in enumerate(seen):
        np.testing.assert_array_equal(real, some[i % 2 * BATCH : (i % 2 + 1) * BATCH])
        np.testing.assert_array_equal(fake, restored[i])
    assert len({seed.numpy().tobytes() for *_, seed in seen}) == 4


@pytest.mark.parametrize("idle", ["critic", "autoencoder"])
def test_each_update_moves_its_own_networks_alone(idle):
    model = adversarial()
    optimizers = {name: keras.optimizers.SGD(0.0 if name == idle else 1e-2) for name in ("autoencoder", "critic")}
    model.compile(optimizers["autoencoder"], optimizers["critic"])
    parts = {"autoencoder": model.trained, "critic": model.critic.trainable_variables}
    before = {name: vector(variables) for name, variables in parts.items()}
    model.train_step(images(0, 4 * BATCH))
    for name, variables in parts.items():
        share = np.mean(vector(variables) != before[name])
        assert share == 0.0 if name == idle else share > 0.5


def test_numbers_of_updates():
    model = adversarial(n_critic=3)
    for _ in range(2):
        model.train_step(images(0, 4 * BATCH))
    assert int(model.step) == 2
    assert int(model.optimizers["critic_optimizer"].iterations) == 6
    assert int(model.optimizers["autoencoder_optimizer"].iterations) == 2


def test_downhill():
    """A small plain step t of encoder and generator against a gradient g makes their loss fall by t |g|^2."""
    model, some = adversarial(n_critic=1), images(0, 2 * BATCH)
    optimizers = [keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)]
    model.compile(*optimizers)
    before = numbers(model.train_step(some))
    optimizers[0].learning_rate.assign(1e-4 / before["gradient_norm_ae"] ** 2)
    assert numbers(model.train_step(some))["loss_ae"] == pytest.approx(before["loss_ae"], abs=1e-6)
    assert before["loss_ae"] - numbers(model.train_step(some))["loss_ae"] == pytest.approx(1e-4, rel=0.2)


def test_without_weight_the_critic_has_no_say():
    first, other = adversarial(weight=0.0), adversarial(weight=0.0)
    other.critic.dense.kernel.assign(-3.0 * other.critic.dense.kernel)
    for model in (first, other):
        model.train_step(images(0, 4 * BATCH))
    np.testing.assert_array_equal(vector(first.trained), vector(other.trained))


def test_it_learns():
    """The critic tells restored from real at first; the restored ones come near the real in pixels."""
    model, eager, some = (
        adversarial(n_critic=2, weight=1e-3, rate=3e-3),
        adversarial(n_critic=2, weight=1e-3, rate=3e-3),
        images(0, 24),
    )
    step = tf.function(model.train_step)
    first, same = numbers(step(some)), numbers(eager.train_step(some))
    assert first == pytest.approx(same, rel=1e-2, abs=1e-4)
    logs = [numbers(step(some)) for _ in range(60)]
    assert max(log["wasserstein"] for log in logs) > first["wasserstein"] + 0.1
    assert logs[-1]["residual"] < 0.6 * first["residual"]


def test_a_critics_pull():
    """A critic that likes bright images makes the restored ones brighter than the error alone does."""
    means = []
    for weight in (0.0, 1.0):
        model, some = adversarial(weight=weight, rate=3e-2), images(0, 8) - 0.5
        model.critic = Brightness()
        for _ in range(8):
            model._update_autoencoder(some)
        means.append(float(tf.reduce_mean(model.restore(some, 0))))
    assert means[1] > means[0] + 0.1


class Brightness(keras.Model):
    """The mean of an image as a critic."""

    def call(self, images):
        return tf.reduce_mean(images, axis=[1, 2, 3]), images


def test_random_numbers():
    """New ones at every use, all of them functions of the seed."""
    encoder = WatchedEncoder("stochastic_clip")
    model = adversarial(n_critic=2, encoder=encoder)
    for _ in range(2):
        model.train_step(images(0, 3 * BATCH))
    seeds = [seed for *_, seed in encoder.seen]
    assert len(seeds) == len(set(seeds)) == 6 and None not in seeds

    def after(seed):
        model = adversarial(seed=seed)
        return [numbers(model.train_step(images(i, 4 * BATCH))) for i in range(2)], state(model)

    first, again, other = after(0), after(0), after(1)
    assert first[0] == again[0]
    assert_same(first[1], again[1])
    assert first[0][0]["gradient_penalty"] != other[0][0]["gradient_penalty"]


def test_float16_is_near_float32():
    logs = []
    for precision in ("none", "float16"):
        model = adversarial(n_critic=1, precision=precision)
        model.compile(keras.optimizers.SGD(2.0**-10), keras.optimizers.SGD(2.0**-10))
        for optimizer in loss_scalers(model).values():
            optimizer.dynamic_scale.assign(2.0**8)
        logs.append(numbers(model.train_step(images(0, 2 * BATCH))))
    assert set(CRITIC_LOGS) < set(logs[1])
    assert logs[1] == pytest.approx(logs[0], rel=5e-2, abs=1e-2)
