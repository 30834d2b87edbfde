"""The yardstick must compute the same function as ours, or its time means nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.keras_form import KerasForm, copy_weights, matched_variables
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.training import losses

pytestmark = pytest.mark.slow

SIDE, DIM, LATENT, BATCH = 16, 2, 3, 3
NETWORKS = ("generator", "critic", "encoder")
FORMS = ("idiomatic", "authors")


def random(seed, *shape):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


IMAGES, Z = random(2, BATCH, SIDE, SIDE, 1), random(3, BATCH, LATENT)


def stirred(network):
    """Randomises gains, offsets, biases and moving statistics, so that none hides at 1 or 0."""
    rng = np.random.default_rng(0)
    for variable in network.variables:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif variable.name == "kernel":
            variable.assign(0.6 * variable)  # Keeps tanh out of saturation, where all networks look alike.
        else:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return network


def with_our_weights(form, name):
    """Makes (our network, that of the Keras form) with the same weights."""
    keras.utils.set_random_seed(1)
    ours, theirs = stirred(getattr(NetworkSpec((SIDE, SIDE, 1), DIM, LATENT), name)()), getattr(form, name)
    copy_weights(ours, theirs)
    return ours, theirs


def assert_close(theirs, ours, tolerance=1e-4):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    assert np.abs(ours).max() > 1e-3, "too small to compare"
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance * np.abs(ours).max())


def assert_same_gradients(ours, theirs, our_loss, their_loss, tolerance=1e-4):
    """Asserts that two losses have the same gradients with respect to the weights of two networks."""
    pairs = [pair for pair in matched_variables(ours, theirs) if pair[1].trainable]
    with tf.GradientTape(persistent=True) as tape:
        our_value, their_value = our_loss(), their_loss()
    assert_close(their_value, our_value)
    expected = tape.gradient(our_value, [our.value for our, _ in pairs])
    actual = tape.gradient(their_value, [their.value for _, their in pairs])
    for (_, their), one, other in zip(pairs, actual, expected, strict=True):
        # Some gradients are rounding errors: a normalisation cancels a shift of all its inputs.
        largest = max(np.abs(other).max(), 1e-2)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * largest, err_msg=their.path)
    assert max(np.abs(gradient).max() for gradient in expected) > 0.1


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    return KerasForm(SIDE, DIM, LATENT, BATCH, form=request.param)


@pytest.mark.parametrize("name", NETWORKS)
def test_same_parameters(form, name):
    ours, theirs = getattr(NetworkSpec((SIDE, SIDE, 1), DIM, LATENT), name)(), getattr(form, name)
    assert theirs.count_params() == ours.count_params()
    pairs = matched_variables(ours, theirs)
    assert len(pairs) == len(theirs.variables) == len(ours.variables)
    assert all(our.shape == their.shape and our.trainable == their.trainable for our, their in pairs)


def test_parameters_of_the_paper():
    form = KerasForm(64, 64, 128, 1)
    counts = {name: sum(int(np.prod(v.shape)) for v in getattr(form, name).trainable_variables) for name in NETWORKS}
    assert counts == {"generator": 8_539_329, "critic": 7_490_689, "encoder": 8_531_200}


@pytest.mark.parametrize("name", NETWORKS)
def test_same_distribution_of_first_weights(name):
    ours, theirs = getattr(NetworkSpec((8, 8, 1), 16, 16), name)(), getattr(KerasForm(8, 16, 16, 1), name)
    for our, their in matched_variables(ours, theirs):
        np.testing.assert_allclose(np.abs(their).max(), np.abs(our).max(), rtol=0.1, err_msg=their.path)


def test_copy_takes_every_variable(form):
    ours, theirs = with_our_weights(form, "generator")
    for our, their in matched_variables(ours, theirs):
        np.testing.assert_array_equal(our, their)
    with pytest.raises(ValueError, match="no counterpart"):
        copy_weights(NetworkSpec((SIDE, SIDE, 1), DIM, LATENT).encoder(), form.critic)


def test_critic_computes_the_same(form):
    ours, theirs = with_our_weights(form, "critic")
    for actual, expected in zip(theirs(IMAGES), ours(IMAGES), strict=True):
        assert_close(actual, expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("name", "inputs"), [("generator", Z), ("encoder", IMAGES)], ids=["generator", "encoder"])
def test_generator_and_encoder_compute_the_same(form, name, inputs, training):
    ours, theirs = with_our_weights(form, name)
    expected = ours(inputs, training=training)
    assert np.mean(np.abs(expected)) < 0.9 and np.std(expected) > 0.1
    assert_close(theirs(inputs, training=training), expected)
    for our, their in matched_variables(ours, theirs):
        np.testing.assert_allclose(their, our, rtol=1e-4, atol=1e-5, err_msg=their.path)


def exact_moments(x, axes, keepdims):
    """Computes tf.nn.moments with exact second derivatives; there, the mean is a constant inside the variance."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    assert keepdims
    return mean, tf.reduce_mean(tf.square(x - mean), axes, keepdims=True)


@pytest.mark.parametrize(("moments", "tolerance"), [(exact_moments, 1e-4), (tf.nn.moments, 0.05)], ids=["exact", "stock"])
def test_critic_loss_and_its_gradients_are_the_same(form, monkeypatch, moments, tolerance):
    """To rounding once the moments are exact; stock GroupNormalization, which the yardstick uses, is off by some thousandths."""
    monkeypatch.setattr(tf.nn, "moments", moments)
    ours, theirs = with_our_weights(form, "critic")
    real, fake = IMAGES, random(5, BATCH, SIDE, SIDE, 1)
    alpha = tf.constant([0.1, 0.5, 0.8])[:, None, None, None]

    def our_loss():
        penalty = losses.gradient_penalty(lambda images: ours(images)[0], real + alpha * (fake - real))
        return losses.critic_loss(ours(real)[0], ours(fake)[0], penalty, 10.0)

    assert_same_gradients(ours, theirs, our_loss, lambda: form.critic_loss(real, fake, alpha), tolerance)


def test_generator_loss_and_its_gradients_are_the_same(form):
    critic, _ = with_our_weights(form, "critic")
    ours, theirs = with_our_weights(form, "generator")
    assert_same_gradients(
        ours, theirs, lambda: losses.generator_loss(critic(ours(Z, training=True))[0]), lambda: form.generator_loss(Z)
    )


def moved(form, update):
    """Returns the largest step of any weight or moving statistic in each part of the networks."""
    parts = {
        "critic": form.critic.variables,
        "generator": form.generator.trainable_variables,
        "statistics": form.generator.non_trainable_variables,
    }
    before = {name: [variable.numpy() for variable in variables] for name, variables in parts.items()}
    update()
    return {
        name: max(np.abs(variable - old).max() for variable, old in zip(variables, before[name], strict=True))
        for name, variables in parts.items()
    }


@pytest.mark.parametrize(("resampling", "precision"), [("idiomatic", "none"), ("authors", "bfloat16")])
def test_updates(resampling, precision):
    form = KerasForm(8, DIM, LATENT, BATCH, form=resampling, precision=precision)
    assert form.real.shape == (BATCH, 8, 8, 1) and np.min(form.real) < -0.9 and np.max(form.real) > 0.9
    for optimizer in (form.critic_optimizer, form.generator_optimizer):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
    # Adam's first step is its full rate.
    critic_step = moved(form, form.critic_update)
    assert critic_step["generator"] == 0 and critic_step["statistics"] > 0
    assert critic_step["critic"] == pytest.approx(1e-4, rel=0.02)
    generator_step = moved(form, form.generator_update)
    assert generator_step["critic"] == 0 and generator_step["statistics"] > 0
    assert generator_step["generator"] == pytest.approx(1e-4, rel=0.02)
    loss_d, loss_g = form.iteration()
    assert int(form.critic_optimizer.iterations) == 1 + 5 and int(form.generator_optimizer.iterations) == 1 + 1
    assert type(loss_d) is type(loss_g) is float and np.isfinite([loss_d, loss_g]).all()
    # With the weights held still, only fresh noise can change a loss.
    form.critic_optimizer.learning_rate = form.generator_optimizer.learning_rate = 0.0
    for update in (form.critic_update, form.generator_update):
        assert len({update() for _ in range(3)}) == 3


@pytest.mark.parametrize("resampling", FORMS)
def test_bfloat16_is_only_inside(resampling):
    form = KerasForm(8, DIM, LATENT, BATCH, form=resampling, precision="bfloat16")
    assert keras.mixed_precision.dtype_policy().name == "float32"
    full = KerasForm(8, DIM, LATENT, BATCH, form=resampling)
    for name, inputs in (("generator", Z), ("critic", IMAGES[:, :8, :8]), ("encoder", IMAGES[:, :8, :8])):
        network, reference = getattr(form, name), getattr(full, name)
        network.set_weights(reference.get_weights())
        assert {layer.compute_dtype for layer in network.layers if layer.variables} == {"bfloat16"}
        assert {variable.dtype for variable in network.variables} == {"float32"}
        for actual, expected in zip(tf.nest.flatten(network(inputs)), tf.nest.flatten(reference(inputs)), strict=True):
            assert_close(actual, expected, tolerance=0.05)
            assert np.any(actual != expected)
