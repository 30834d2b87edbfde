import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks.latent import bounded

Z = tf.constant([[-4.0, -0.75, 0.0, 0.25, 2.0]])
TANH = np.tanh([[-4.0, -0.75, 0.0, 0.25, 2.0]])


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("linear", [[-4.0, -0.75, 0.0, 0.25, 2.0]]),
        ("tanh", TANH),
        ("tanh_3", 3 * TANH),
        ("tanh_0.5", 0.5 * TANH),
        ("clip_0.5", [[-0.5, -0.5, 0.0, 0.25, 0.5]]),
        ("clip_1", [[-1.0, -0.75, 0.0, 0.25, 1.0]]),
        ("clip_3", [[-3.0, -0.75, 0.0, 0.25, 2.0]]),
        ("stochastic_clip", [[-1.0, -0.75, 0.0, 0.25, 1.0]]),
    ],
)
def test_by_hand(bound, expected):
    np.testing.assert_allclose(bounded(bound, Z), expected, rtol=1e-6)


def test_only_the_stochastic_clip_uses_the_seed():
    for bound in ("linear", "tanh", "clip_1"):
        np.testing.assert_array_equal(bounded(bound, Z, tf.constant([1, 2])), bounded(bound, Z))


def test_stochastic_clip():
    z = tf.random.stateless_normal((100, 50), (0, 0), stddev=1.5)
    clipped = bounded("stochastic_clip", z, tf.constant([3, 4])).numpy()
    inside = np.abs(z) <= 1.0
    np.testing.assert_array_equal(clipped[inside], z.numpy()[inside])
    redrawn = clipped[~inside]
    assert len(redrawn) > 2000 and np.abs(redrawn).max() < 1.0
    # Uniform in [-1, 1], whichever side the coordinate was on: mean 0, variance 1/3.
    for part in (clipped[z < -1.0], clipped[z > 1.0]):
        assert abs(part.mean()) < 0.06 and abs(part.var() - 1 / 3) < 0.04


def test_stochastic_clip_by_seed():
    z = tf.fill((10, 10), 2.0)
    first, again, other = (bounded("stochastic_clip", z, tf.constant(seed)).numpy() for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(first, again)
    assert np.all(first != other) and len(np.unique(first)) == 100


def test_an_unknown_bound_is_refused():
    with pytest.raises(ValueError, match="round"):
        bounded("round", Z)
