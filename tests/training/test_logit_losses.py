import numpy as np
import tensorflow as tf

from fanogan_tf.training import losses

REAL, FAKE = np.array([0.0, 2.0, -1.0]), np.array([0.5, -3.0, 1.0])


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def tensor(values):
    return tf.constant(values, tf.float32)


def test_cross_entropies():
    np.testing.assert_allclose(losses.against_real(tensor(REAL)), -np.log(sigmoid(REAL)), rtol=1e-5)
    np.testing.assert_allclose(losses.against_fake(tensor(FAKE)), -np.log(1.0 - sigmoid(FAKE)), rtol=1e-5)


def test_no_overflow_and_no_ties():
    np.testing.assert_allclose(losses.against_real(tensor([-200.0, 30.0, 31.0])), [200, np.exp(-30), np.exp(-31)], rtol=1e-3)


def test_losses_by_their_formulas():
    expected = np.mean(-np.log(sigmoid(REAL))) + np.mean(-np.log(1.0 - sigmoid(FAKE)))
    np.testing.assert_allclose(losses.discriminator_loss(tensor(REAL), tensor(FAKE)), expected, rtol=1e-5)
    np.testing.assert_allclose(losses.non_saturating_loss(tensor(FAKE)), np.mean(-np.log(sigmoid(FAKE))), rtol=1e-5)
    np.testing.assert_allclose(losses.discriminator_loss(tensor([0.0]), tensor([0.0, 0.0])), 2 * np.log(2), rtol=1e-6)
