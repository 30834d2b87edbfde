import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.methods import ganomaly as losses


def random(seed, *shape):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def test_by_hand():
    """Two images of two values each: differences 1, 3 and 0, -2."""
    one, other = tf.constant([[1.0, 3.0], [5.0, 2.0]]), tf.constant([[0.0, 0.0], [5.0, 4.0]])
    assert float(losses.adversarial_loss(one, other)) == pytest.approx((1 + 9 + 0 + 4) / 4)
    assert float(losses.encoding_loss(one, other)) == pytest.approx((1 + 9 + 0 + 4) / 4)
    assert float(losses.contextual_loss(tf.reshape(one, (2, 1, 2, 1)), tf.reshape(other, (2, 1, 2, 1)))) == pytest.approx(
        (1 + 3 + 0 + 2) / 4
    )


def test_in_numpy():
    images, restored = random(0, 5, 4, 6, 1), random(1, 5, 4, 6, 1)
    np.testing.assert_allclose(losses.contextual_loss(images, restored), np.mean(np.abs(images - restored)), rtol=1e-5)
    z, again = random(2, 5, 7), random(3, 5, 7)
    np.testing.assert_allclose(losses.encoding_loss(z, again), np.mean(np.square(z - again)), rtol=1e-5)
    np.testing.assert_allclose(losses.adversarial_loss(z, again), np.mean(np.square(z - again)), rtol=1e-5)


def test_discriminator_in_numpy():
    """Equation 4.3 of the thesis, of probabilities."""
    real, restored = 2 * random(0, 6), 2 * random(1, 6)
    probability = lambda logits: 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))  # noqa: E731
    expected = -0.5 * np.mean(np.log(probability(real))) - 0.5 * np.mean(np.log(1 - probability(restored)))
    np.testing.assert_allclose(losses.half_discriminator_loss(real, restored), expected, rtol=1e-5)
    assert float(losses.half_discriminator_loss(np.zeros(3, np.float32), np.zeros(3, np.float32))) == pytest.approx(np.log(2))
    certain = np.full(3, 50.0, np.float32)
    assert float(losses.half_discriminator_loss(certain, -certain)) < 1e-20
    assert float(losses.half_discriminator_loss(-certain, certain)) == pytest.approx(50.0)


def test_weights_of_the_paper():
    assert losses.LossWeights() == losses.LossWeights(adversarial=1.0, contextual=50.0, encoding=1.0)
