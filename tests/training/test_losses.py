import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.training import losses


def random(seed, *shape):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def test_mean_square_by_hand():
    difference = tf.constant([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 2.0]]])
    np.testing.assert_allclose(losses.mean_square(difference), [30 / 4, 1.0])
    np.testing.assert_allclose(losses.mean_square(tf.constant([[3.0, -4.0, 0.0]])), [25 / 3])


def test_alpha_is_one_uniform_number_per_image():
    real, fake = random(0, 4000, 2, 3, 1), random(1, 4000, 2, 3, 1)
    mixed = losses.interpolated(real, fake, tf.constant([1, 2]))
    alpha = (mixed - real) / (fake - real)
    alpha = alpha.numpy()[np.abs(fake - real).min((1, 2, 3)) > 0.05].reshape(-1, 6)
    assert len(alpha) > 1000
    np.testing.assert_allclose(alpha, np.repeat(alpha[:, :1], 6, axis=1), atol=1e-4)
    alpha = alpha[:, 0]
    assert alpha.min() > -1e-4 and alpha.max() < 1 + 1e-4
    counts = np.histogram(alpha, 5, (0, 1))[0] / len(alpha)
    np.testing.assert_allclose(counts, 0.2, atol=0.03)


def test_alpha_by_seed():
    real, fake = tf.zeros((5, 2, 2, 1)), tf.ones((5, 2, 2, 1))
    first, again, other = (losses.interpolated(real, fake, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == 5 and not np.isin(other, first).any()


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.25, 0.5625)])
def test_penalty_of_a_linear_critic(scale, expected):
    """D(x) = w.x has the gradient w everywhere: (||w|| - 1)^2."""
    weight = random(0, 1, 3, 4, 2)
    weight = scale * weight / tf.norm(weight)
    penalty = losses.gradient_penalty(lambda x: tf.reduce_sum(x * weight, axis=[1, 2, 3]), random(1, 5, 3, 4, 2))
    np.testing.assert_allclose(penalty, expected, atol=1e-5)


def test_penalty_of_a_quadratic_critic():
    """D(x) = |x|^2 / 2 has the gradient x: the mean over images, not over pixels, of (||x|| - 1)^2."""
    images = np.zeros((2, 2, 2, 1), np.float32)
    images[0, :, :, 0] = [[3.0, 0.0], [0.0, 4.0]]
    images[1, :, :, 0] = [[1.0, 1.0], [1.0, 1.0]]
    penalty = losses.gradient_penalty(lambda x: tf.reduce_sum(x**2, axis=[1, 2, 3]) / 2, tf.constant(images))
    np.testing.assert_allclose(penalty, ((5 - 1) ** 2 + (2 - 1) ** 2) / 2, rtol=1e-6)


def test_gradient_of_the_penalty():
    """For D(x) = s w.x with ||w|| = 1: d/ds (s - 1)^2 = 2 (s - 1)."""
    scale = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(lambda x: scale * x[:, 0, 1, 0], random(0, 4, 2, 2, 1))
    np.testing.assert_allclose(tape.gradient(penalty, scale), 4.0, rtol=1e-5)


def test_vanished_gradient_is_no_nan():
    weight = tf.Variable(tf.zeros((2, 2, 1)))
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(lambda x: tf.reduce_sum(x * weight, axis=[1, 2, 3]), random(0, 3, 2, 2, 1))
    np.testing.assert_allclose(penalty, 1.0, atol=1e-4)
    assert np.all(np.isfinite(tape.gradient(penalty, weight)))


def test_critic_and_generator_loss_by_hand():
    real, fake = tf.constant([1.0, 3.0]), tf.constant([-2.0, 7.0])
    np.testing.assert_allclose(losses.critic_loss(real, fake, tf.constant(0.5), 10.0), 2.5 - 2.0 + 5.0)
    np.testing.assert_allclose(losses.generator_loss(fake), -2.5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("izi_f", {"izi": 1.0, "feature": 0.7}),
        ("izi", {"izi": 1.0}),
        ("ziz", {"ziz": 1.0}),
        ("izi_ziz", {"izi": 1.0, "ziz": 0.1}),
    ],
)
def test_encoder_weights(name, expected):
    assert losses.encoder_weights(name, 0.7) == expected


def test_scaled_penalty():
    """The gradient is x or, on its way through float16, 1 by way of 2**-26, which that has not."""
    images = random(0, 3, 2, 2, 1)
    quadratic = [losses.gradient_penalty(lambda x: tf.reduce_sum(x**2, axis=[1, 2, 3]) / 2, images, s) for s in (1.0, 2.0**7)]
    np.testing.assert_array_equal(*quadratic)

    def narrow(x):
        return tf.cast(tf.cast(x[:, 0, 0, 0], tf.float16) * 2.0**13 * 2.0**13 * 2.0**-13 * 2.0**-13, tf.float32)

    penalties = [losses.gradient_penalty(narrow, 2.0**-15 * images, scale).numpy() for scale in (1.0, 2.0**7)]
    np.testing.assert_allclose(penalties, [1.0, 0.0], atol=1e-5)
