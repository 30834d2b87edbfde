import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks.latent import key
from fanogan_tf.networks.resnet import Encoder
from fanogan_tf.training.losses import ENCODER_LOSSES
from tests.helpers.tiny import SHAPE, encoder_training, images, numbers, state


class Watched(Encoder):
    """Remembers its inputs and outputs."""

    def __init__(self, bound="tanh"):
        super().__init__(SHAPE, dim=2, latent_dim=3, bound=bound)
        self.seen = []
        self(tf.zeros((1, *SHAPE)))
        self.seen.clear()

    def call(self, images, training=False, seed=None):
        z = super().call(images, training=training, seed=seed)
        self.seen.append((tf.constant(images).numpy(), z.numpy(), training, None if seed is None else tuple(seed.numpy())))
        return z


def mean_square(difference):
    return float(np.mean(np.square(difference)))


@pytest.mark.parametrize("loss", ENCODER_LOSSES)
def test_terms_by_their_formulas(loss):
    encoder = Watched()
    model, some = encoder_training(loss, kappa=0.7, rate=0.0, encoder=encoder), images(0, 5)
    logs = numbers(model.train_step(some))
    assert logs.pop("gradient_norm_e") > 0
    seen = list(encoder.seen)
    expected = {}
    if "izi" in loss:
        inputs, z, training, _ = seen.pop(0)
        np.testing.assert_array_equal(inputs, some)
        assert training
        restored = model.generator(z, training=False)
        expected["izi"] = mean_square(some - restored)
    if loss == "izi_f":
        expected["feature"] = mean_square(model.critic(some)[1] - model.critic(restored)[1])
    if "ziz" in loss:
        inputs, recovered, training, _ = seen.pop(0)
        z = tf.random.stateless_normal((5, 3), key(0, 0, 1))
        np.testing.assert_allclose(inputs, model.generator(z, training=False), rtol=1e-5, atol=1e-6)
        assert training
        expected["ziz"] = mean_square(z - recovered)
    assert not seen
    weights = {"izi": 1.0, "feature": 0.7, "ziz": 1.0 if loss == "ziz" else 0.1}
    expected["loss_e"] = sum(weights[name] * value for name, value in expected.items())
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("loss", ["izi_f", "izi_ziz"])
def test_generator_and_critic_never_change(loss):
    model = encoder_training(loss, rate=1e-2)
    frozen = [variable.copy() for network in (model.generator, model.critic) for variable in network.get_weights()]
    before = state(model)["encoder"]
    for i in range(3):
        model.train_step(images(i, 5))
    after = [variable for network in (model.generator, model.critic) for variable in network.get_weights()]
    for one, other in zip(frozen, after, strict=True):
        np.testing.assert_array_equal(one, other)
    changed = [not np.array_equal(a, b) for a, b in zip(before, state(model)["encoder"], strict=True)]
    # The moving averages of batch normalisation too.
    assert np.mean(changed) > 0.8
    assert int(model.step) == 3 and int(model.optimizers["encoder_optimizer"].iterations) == 3


@pytest.mark.parametrize("loss", ["izi", "ziz", "izi_f"])
def test_it_learns(loss):
    model = encoder_training(loss, rate=5e-3)
    some = model.generator(tf.random.stateless_normal((32, 3), (0, 7), stddev=0.5))
    step = tf.function(model.train_step)
    values = [float(step(some)["loss_e"]) for _ in range(40)]
    assert np.mean(values[-5:]) < 0.85 * np.mean(values[:3])


def test_denoising_touches_the_encoders_input_alone():
    encoder = Watched()
    model, some = encoder_training("izi_f", denoise=True, rate=0.0, encoder=encoder), images(0, 50) + 0.01
    first = numbers(model.train_step(some))
    model.train_step(some)
    (inputs, z, _, _), (inputs_2, _, _, _) = encoder.seen
    zeros = inputs == 0.0
    assert abs(zeros.mean() - 0.2) < 0.02
    np.testing.assert_array_equal(inputs[~zeros], some.numpy()[~zeros])
    assert abs(np.mean(zeros != (inputs_2 == 0)) - 2 * 0.2 * 0.8) < 0.03  # Drawn again in every step.
    assert zeros.mean((0, 3)).max() < 0.5 and zeros.mean((1, 2, 3)).max() < 0.5  # Single pixels, not images or places.
    restored = model.generator(z, training=False)
    np.testing.assert_allclose(first["izi"], mean_square(some - restored), rtol=1e-4)
    np.testing.assert_allclose(first["feature"], mean_square(model.critic(some)[1] - model.critic(restored)[1]), rtol=1e-4)


def test_no_denoising_in_use():
    model, some = encoder_training("izi", denoise=True), images(0, 5)
    np.testing.assert_array_equal(model(some), model.generator(model.encoder(some, training=False), training=False))
    np.testing.assert_array_equal(model(some), model(some))


def test_denoised_ziz():
    encoder = Watched()
    model = encoder_training("ziz", denoise=True, rate=0.0, encoder=encoder)
    model.train_step(images(0, 50))
    clean = model.generator(tf.random.stateless_normal((50, 3), key(0, 0, 1)), training=False).numpy()
    inputs = encoder.seen[0][0]
    zeros = inputs == 0.0
    assert abs(zeros[np.abs(clean) > 1e-6].mean() - 0.2) < 0.03
    np.testing.assert_allclose(inputs[~zeros], clean[~zeros], rtol=1e-5, atol=1e-6)


def test_ziz_needs_no_images():
    first, second = encoder_training("ziz"), encoder_training("ziz")
    for i in range(2):
        assert numbers(first.train_step(images(i, 5))) == numbers(second.train_step(tf.fill((5, *SHAPE), float("nan"))))


def test_stochastic_clip_has_a_new_seed_at_every_use():
    encoder = Watched("stochastic_clip")
    model = encoder_training("izi_ziz", encoder=encoder)
    for _ in range(2):
        model.train_step(images(0, 5))
    seeds = [seed for *_, seed in encoder.seen]
    assert len(seeds) == 4 and len(set(seeds)) == 4 and None not in seeds


def test_same_seed_same_numbers():
    def logs(seed):
        model = encoder_training("izi_ziz", denoise=True, seed=seed)
        return [numbers(model.train_step(images(i, 5))) for i in range(2)]

    first, again, other = logs(0), logs(0), logs(1)
    assert first == again
    assert first[0]["izi"] != other[0]["izi"] and first[0]["ziz"] != other[0]["ziz"]


def test_float16_is_near_float32():
    logs, moves = [], []
    for precision in ("none", "float16"):
        model = encoder_training("izi", precision=precision)
        model.compile(keras.optimizers.SGD(2.0**-6))
        before = [variable.numpy() for variable in model.encoder.trainable_variables]
        logs.append(numbers(model.train_step(images(0, 5))))
        after = [variable.numpy() for variable in model.encoder.trainable_variables]
        moves.append(np.concatenate([(b - a).ravel() * 2.0**6 for a, b in zip(before, after, strict=True)]))
    for name, value in logs[0].items():
        np.testing.assert_allclose(logs[1][name], value, rtol=2e-2, err_msg=name)
    assert np.linalg.norm(moves[1] - moves[0]) < 3e-2 * np.linalg.norm(moves[0])
    np.testing.assert_allclose(np.linalg.norm(moves[1]), logs[1]["gradient_norm_e"], rtol=1e-3)
