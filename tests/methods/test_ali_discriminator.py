import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.methods.ali import pair_discriminator
from fanogan_tf.networks.resnet import flat_features
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SHAPE = (8, 12, 1)
SPEC = NetworkSpec(SHAPE, dim=2, latent_dim=3)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, *SHAPE)).astype(np.float32)
Z = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    """With every variable at random."""
    network, random = pair_discriminator(SPEC), np.random.default_rng(2)
    for variable in tf_variables(network):
        variable.assign(random.uniform(-0.5, 0.5, variable.shape))
    return network


def test_in_numpy(network):
    """From the body on."""
    kernels = {name: [w.numpy() for w in getattr(network, name).weights] for name in ("dense_z", "dense_pair", "dense")}

    def dense(name, x):
        kernel, bias = kernels[name]
        return x @ kernel + bias

    def leaky(x):
        return np.where(x > 0, x, 0.2 * x)

    joined = leaky(np.concatenate([flat_features(network.body(IMAGES)), dense("dense_z", Z)], axis=1))
    features = leaky(dense("dense_pair", joined))
    logits, found = network(IMAGES, Z)
    assert found.shape == (5, 32) and logits.shape == (5,) and logits.dtype == found.dtype == tf.float32
    np.testing.assert_allclose(found, features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, dense("dense", features)[:, 0], rtol=1e-4, atol=1e-5)
    assert (features < 0).any() and (features > 0).any()


@pytest.mark.parametrize(("shape", "dim", "latent_dim"), [((8, 8, 1), 2, 3), ((16, 16, 1), 4, 5), ((28, 28, 1), 2, 3)])
def test_number_of_weights(shape, dim, latent_dim):
    """The critic's body, a dense layer for z, one for both, one for the logit."""
    spec = NetworkSpec(shape, dim, latent_dim)
    features = spec.critic()(np.zeros((1, *shape), np.float32))[1].shape[1]
    of_body = spec.critic().count_params() - (features + 1)
    of_dense = (latent_dim + 1) * 8 * dim + (features + 8 * dim + 1) * 16 * dim + 16 * dim + 1
    assert pair_discriminator(spec).count_params() == of_body + of_dense


def test_image_and_z_both_count(network):
    logits = network(IMAGES, Z)[0].numpy()
    assert not np.any(np.isclose(network(IMAGES[::-1], Z)[0].numpy()[[0, 1, 3, 4]], logits[[0, 1, 3, 4]], rtol=1e-3))
    assert not np.any(np.isclose(network(IMAGES, Z[::-1])[0].numpy()[[0, 1, 3, 4]], logits[[0, 1, 3, 4]], rtol=1e-3))


def test_pairs_do_not_depend_on_their_neighbours(network):
    together = network(IMAGES, Z)
    for i in range(5):
        for one, other in zip(network(IMAGES[i : i + 1], Z[i : i + 1]), together, strict=True):
            np.testing.assert_allclose(one[0], other[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision(precision):
    low = pair_discriminator(NetworkSpec(SHAPE, 2, 3, precision=precision))
    full = pair_discriminator(SPEC)
    full.set_weights(low.get_weights())
    assert {variable.dtype for variable in tf_variables(low)} == {tf.float32}
    for one, other in zip(low(IMAGES, Z), full(IMAGES, Z), strict=True):
        assert one.dtype == other.dtype == tf.float32
        assert 1e-6 < np.abs(one - other).max() < 0.1 * np.abs(other).max()


def test_unfolded_is_the_same():
    folded, plain = pair_discriminator(SPEC), pair_discriminator(NetworkSpec(SHAPE, 2, 3, folded=False))
    plain.set_weights(folded.get_weights())
    for one, other in zip(folded(IMAGES, Z), plain(IMAGES, Z), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
