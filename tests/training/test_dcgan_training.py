import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import KERAS_2, name_of
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.training.encoder import EncoderTraining
from fanogan_tf.training.gan import Dcgan
from fanogan_tf.training.losses import encoder_weights
from fanogan_tf.training.optimization import Adam, loss_scalers
from tests.helpers.tiny import assert_same, images, noise, numbers, state, train

SPEC = NetworkSpec((8, 8, 1), dim=2, latent_dim=3, network="dcgan")
LARGER = NetworkSpec((16, 16, 1), dim=2, latent_dim=3, network="dcgan")  # Its discriminator has batch normalisation.
BATCH = 6


def dcgan(rate=1e-3, seed=0, spec=SPEC, optimizer=None):
    keras.utils.set_random_seed(0)
    model = Dcgan(spec.generator(), spec.critic(), latent_dim=3, seed=seed)
    # So few channels carry hardly anything with weights as small as a DCGAN begins with.
    for network in model.networks.values():
        for variable in network.trainable_variables:
            if name_of(variable) == "kernel":
                variable.assign(10.0 * variable)
    model.compile(*(optimizer(rate) if optimizer else Adam(rate, beta_1=0.5) for _ in range(2)))
    return model


def large_images(seed, count):
    return tf.constant(np.random.default_rng(seed).uniform(0, 1, (count, 16, 16, 1)), tf.float32)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, np.float64)))


def test_logs_by_their_formulas():
    model, some = dcgan(rate=0.0, spec=LARGER), large_images(0, BATCH)
    real, fake = (
        sigmoid(model.critic(one, training=True)[0]) for one in (some, model.generator(model.latent(BATCH, 0), training=True))
    )
    logs = numbers(model.train_step(some))
    expected = {
        "loss_d": np.mean(-np.log(real)) + np.mean(-np.log(1 - fake)),
        "loss_g": np.mean(-np.log(fake)),
        "discriminator_real": np.mean(real),
        "discriminator_fake": np.mean(fake),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs.pop(name), value, rtol=1e-4, err_msg=name)
    assert set(logs) == {"gradient_norm_d", "gradient_norm_g"} and min(logs.values()) > 0


def test_one_update_of_each():
    model = dcgan(spec=LARGER)
    before = state(model)
    for i in range(2):
        model.train_step(large_images(i, BATCH))
    after = state(model)
    assert int(model.step) == 2
    for name in ("generator", "critic"):
        assert int(model.optimizers[f"{name}_optimizer"].iterations) == 2
        changed = [not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)]
        assert np.all(changed), name


@pytest.mark.parametrize("name", ["generator", "critic"])
def test_each_optimizer_moves_its_own_network(name):
    """With the other's step size 0; moving averages aside, which each network keeps of what it sees."""
    model = dcgan(spec=LARGER)
    other = "critic" if name == "generator" else "generator"
    model.optimizers[f"{other}_optimizer"].learning_rate.assign(0.0)
    networks = {"generator": model.generator, "critic": model.critic}
    before = {key: [v.numpy() for v in network.trainable_variables] for key, network in networks.items()}
    model.train_step(large_images(0, BATCH))
    moved = {
        key: [not np.array_equal(v, w) for v, w in zip(before[key], network.trainable_variables, strict=True)]
        for key, network in networks.items()
    }
    assert all(moved[name]) and not any(moved[other])


def test_moving_averages_see_as_many_real_images_as_generated_ones():
    model, some = dcgan(rate=0.0, spec=LARGER), large_images(0, BATCH)
    fake = model.generator(model.latent(BATCH, 0), training=True)
    norm = model.critic.blocks[1].norm
    means = []
    for batch in (some, fake):
        x = tf.nn.leaky_relu(model.critic.blocks[0](batch), 0.2)
        means.append(np.mean(model.critic.blocks[1].convolve(x, model.critic.blocks[1].kernel), axis=(0, 1, 2)))
    model.train_step(some)
    np.testing.assert_allclose(norm.moving_mean, 0.9 * 0.1 * means[0] + 0.1 * means[1], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("loss", "norm", "moved"), [("loss_d", "gradient_norm_d", 1), ("loss_g", "gradient_norm_g", 0)])
def test_downhill(loss, norm, moved, compiled):
    """A small plain step t against a gradient g makes the loss fall by t |g|^2, both gradients those of before the step."""
    model, some = dcgan(0.0, optimizer=keras.optimizers.SGD), images(0, BATCH)
    optimizers = list(model.optimizers.values())
    run = tf.function(model.train_step) if compiled else model.train_step

    def step():
        model.step.assign(0)
        return numbers(run(some))

    before = step()
    optimizers[moved].learning_rate.assign(2e-3 / before[norm] ** 2)
    assert step()[loss] == pytest.approx(before[loss], abs=1e-6)
    optimizers[moved].learning_rate.assign(0.0)
    assert before[loss] - step()[loss] == pytest.approx(2e-3, rel=0.2)


def test_both_gradients_are_of_the_networks_before_the_step():
    """However far the discriminator goes, the generator's step is the same."""
    generators = []
    for rate in (0.0, 10.0):
        model = dcgan(0.1, optimizer=keras.optimizers.SGD)
        model.optimizers["critic_optimizer"].learning_rate.assign(rate)
        model.train_step(images(0, BATCH))
        generators.append(model.generator.get_weights())
    for one, other in zip(*generators, strict=True):
        np.testing.assert_array_equal(one, other)


def test_latent():
    model = dcgan()
    z = model.latent(4000, 1).numpy()
    assert z.shape == (4000, 3) and np.abs(z).max() <= 1.0
    np.testing.assert_allclose(np.cov(z.T), np.eye(3) / 3, atol=0.03)
    assert not np.any(np.all(model.latent(4000, 2) == z, axis=1))


def test_same_seed_same_numbers():
    def after(seed):
        model = dcgan(seed=seed)
        logs = [numbers(model.train_step(images(0, BATCH))) for _ in range(2)]
        return logs, state(model)

    first, again, other = after(0), after(0), after(1)
    assert first[0] == again[0]
    assert_same(first[1], again[1])
    assert first[0][0]["loss_g"] != other[0][0]["loss_g"]
    assert first[0][0]["discriminator_fake"] != first[0][1]["discriminator_fake"]


def test_resumed_is_never_stopped(tmp_path):
    whole = train(dcgan(), tmp_path / "whole", 6, noise(BATCH))
    train(dcgan(), tmp_path / "parts", 3, noise(BATCH))
    resumed = train(dcgan(seed=0), tmp_path / "parts", 6, noise(BATCH))
    assert int(resumed.step) == 6
    assert_same(state(resumed), state(whole))


def test_it_learns():
    """On white images: the discriminator tells them from the generator's, then the generator's become brighter."""
    model, white = dcgan(rate=1e-2), tf.ones((16, 8, 8, 1))
    z = model.latent(32, 99)
    before = np.mean(model.generator(z, training=True))
    step = tf.function(model.train_step)
    logs = [numbers(step(white)) for _ in range(60)]
    gaps = [one["discriminator_real"] - one["discriminator_fake"] for one in logs]
    assert max(gaps[:30]) > gaps[0] + 0.2
    assert np.mean(model.generator(z, training=True)) > before + 0.2


def test_call_is_the_discriminator_of_the_generator():
    model = dcgan(spec=LARGER)
    z = model.latent(2, 0)
    np.testing.assert_array_equal(model(z), model.critic(model.generator(z, training=False), training=False)[0])


def test_float16():
    model = dcgan(spec=dataclasses.replace(LARGER, precision="float16"))
    assert set(loss_scalers(model)) == {"generator_optimizer", "critic_optimizer"}
    for optimizer in loss_scalers(model).values() if KERAS_2 else ():
        optimizer.dynamic_scale.assign(2.0**8)
    exact = numbers(dcgan(spec=LARGER).train_step(large_images(0, BATCH)))
    for name, value in numbers(model.train_step(large_images(0, BATCH))).items():
        np.testing.assert_allclose(value, exact[name], rtol=0.02, err_msg=name)


@pytest.mark.parametrize("loss", ["izi_f", "izi_ziz"])
def test_an_encoder_trains_against_it(loss):
    """f is the discriminator's, in inference mode; generator and discriminator never change, their moving averages included."""
    gan = dcgan(spec=LARGER)
    for i in range(3):
        gan.train_step(large_images(i, BATCH))
    model = EncoderTraining(
        LARGER.encoder(),
        gan.generator,
        gan.critic,
        latent_dim=3,
        weights=encoder_weights(loss, 1.0),
        denoise=False,
        seed=0,
        prior=LARGER.prior,
    )
    model.compile(keras.optimizers.RMSprop(5e-3, rho=0.9))
    frozen = [v.copy() for network in (gan.generator, gan.critic) for v in network.get_weights()]
    some = model.generator(gan.latent(32, 99), training=False)
    restored = model.generator(model.encoder(some, training=True), training=False)
    step = tf.function(model.train_step)
    logs = [numbers(step(some)) for _ in range(40)]
    if loss == "izi_f":
        difference = gan.critic(some, training=False)[1] - gan.critic(restored, training=False)[1]
        np.testing.assert_allclose(logs[0]["feature"], np.mean(np.square(difference)), rtol=1e-3)
    assert np.mean([one["loss_e"] for one in logs[-5:]]) < 0.85 * np.mean([one["loss_e"] for one in logs[:3]])
    for before, after in zip(frozen, [*gan.generator.get_weights(), *gan.critic.get_weights()], strict=True):
        np.testing.assert_array_equal(before, after)


def test_ziz_draws_from_the_prior():
    seen = []

    class Generator(keras.Model):
        def call(self, z, training=False):
            seen.append(z.numpy())
            return tf.tile(z[:, :1, None, None], (1, 8, 8, 1))

    usual = NetworkSpec((8, 8, 1), dim=2, latent_dim=3)
    model = EncoderTraining(
        usual.encoder(), Generator(), usual.critic(), latent_dim=3, weights={"ziz": 1.0}, denoise=False, seed=0, prior="uniform"
    )
    model.compile(keras.optimizers.RMSprop(1e-3))
    model.train_step(images(0, 200))
    np.testing.assert_array_equal(seen[0], tf.random.stateless_uniform((200, 3), key(0, 0, 1), -1.0, 1.0))
