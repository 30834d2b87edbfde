import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import name_of
from fanogan_tf.networks import autoencoder
from fanogan_tf.networks.autoencoder import first_value
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

NETWORKS = ("first_encoder", "decoder", "second_encoder", "discriminator")


def random(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def stirred(network, seed=0):
    """With every variable at random, so that none hides at 0 or 1."""
    generator = np.random.default_rng(seed)
    for variable in tf_variables(network):
        variable.assign(generator.normal(0.0, 0.3, variable.shape))
        if "variance" in variable.name or "gamma" in variable.name:
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return network


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_parameters_of_the_paper():
    """For 64x64 images, width 64 and 100 latent coordinates, counted by hand."""
    spec = NetworkSpec((64, 64, 1), dim=64, latent_dim=100)
    convolutions = 16 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    flat, norms = 4 * 4 * 512, 128 + 256 + 512
    encoder = convolutions + flat * 100 + 2 * norms
    expected = {
        "first_encoder": encoder,
        "decoder": convolutions + flat * 100 + 2 * (512 + 256 + 128 + 64),
        "second_encoder": encoder,
        "discriminator": convolutions + flat + 2 * norms,
    }
    assert {name: count(getattr(autoencoder, name)(spec).trainable_variables) for name in NETWORKS} == expected
    assert autoencoder.discriminator(spec)(random(0, 1, 64, 64, 1))[1].shape == (1, flat)


@pytest.mark.parametrize("shape", [(8, 8), (8, 12), (16, 16), (28, 28), (32, 40)])
def test_shapes(shape):
    spec = NetworkSpec((*shape, 1), dim=2, latent_dim=3)
    images = random(0, 4, *shape, 1)
    z = autoencoder.first_encoder(spec)(images)
    restored = autoencoder.decoder(spec)(z)
    logits, features = autoencoder.discriminator(spec)(restored)
    assert z.shape == (4, 3) and restored.shape == images.shape and logits.shape == (4,)
    blocks = {8: 1, 16: 2, 28: 2, 32: 3}[shape[0]]
    assert features.shape == (4, shape[0] // 2**blocks * (shape[1] // 2**blocks) * 2 * 2 ** (blocks - 1))
    assert np.abs(stirred(autoencoder.decoder(spec))(10 * z + 5)).max() <= 1.0


def test_the_two_encoders_are_two():
    spec = NetworkSpec((8, 8, 1), dim=2, latent_dim=3)
    first, second = autoencoder.first_encoder(spec), autoencoder.second_encoder(spec)
    assert (first.name, second.name) == ("first_encoder", "second_encoder")
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])


def halved(x, kernel):
    """4x4 convolution, stride 2, one line of zeros around: (B, H, W, in) -> (B, H/2, W/2, out)."""
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    height, width = x.shape[1:3]
    return sum(padded[:, i : i + height : 2, j : j + width : 2] @ kernel[i, j] for i in range(4) for j in range(4))


def doubled(x, kernel):
    """Its adjoint, kernel (4, 4, out, in): every pixel is spread over 4x4."""
    batch, height, width, _ = x.shape
    padded = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for i in range(4):
        for j in range(4):
            padded[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += x @ kernel[i, j].T
    return padded[:, 1:-1, 1:-1]


def normalized(x, norm, training):
    mean = x.mean((0, 1, 2)) if training else norm.moving_mean.numpy()
    variance = x.var((0, 1, 2)) if training else norm.moving_variance.numpy()
    return (x - mean) / np.sqrt(variance + 1e-5) * norm.gamma.numpy() + norm.beta.numpy()


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def body_in_numpy(body, x, training):
    x = leaky(halved(x, body.first.kernel.numpy()))
    for conv, norm in zip(body.convs, body.norms, strict=True):
        x = leaky(normalized(halved(x, conv.kernel.numpy()), norm, training))
    return x.reshape(len(x), -1)


@pytest.mark.parametrize("training", [False, True])
def test_in_numpy(training):
    spec = NetworkSpec((16, 24, 1), dim=2, latent_dim=3)
    encoder, decoder, discriminator = (
        stirred(getattr(autoencoder, name)(spec)) for name in ("second_encoder", "decoder", "discriminator")
    )
    images, z = random(1, 5, 16, 24, 1), random(2, 5, 3)

    expected = body_in_numpy(encoder.body, images, training) @ encoder.dense.kernel.numpy()
    np.testing.assert_allclose(encoder(images, training=training), expected, rtol=1e-4, atol=1e-4)

    features = body_in_numpy(discriminator.body, images, training)
    logits, own_features = discriminator(images, training=training)
    np.testing.assert_allclose(own_features, features, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits, (features @ discriminator.dense.kernel.numpy())[:, 0], rtol=1e-4, atol=1e-4)

    x = (z @ decoder.dense.kernel.numpy()).reshape(5, 4, 6, 4)
    assert len(decoder.convs) == 1 and len(decoder.norms) == 2
    for conv, norm in zip((*decoder.convs, decoder.last), decoder.norms, strict=True):
        x = doubled(np.maximum(normalized(x, norm, training), 0.0), conv.kernel.numpy())
    np.testing.assert_allclose(decoder(z, training=training), np.tanh(x), rtol=1e-4, atol=1e-4)


def test_moving_averages_keep_nine_tenths():
    encoder = autoencoder.first_encoder(NetworkSpec((16, 16, 1), dim=2, latent_dim=3))
    images = random(0, 5, 16, 16, 1)
    x = halved(leaky(halved(images, encoder.body.first.kernel.numpy())), encoder.body.convs[0].kernel.numpy())
    encoder(images, training=True)
    np.testing.assert_allclose(encoder.body.norms[0].moving_mean, 0.1 * x.mean((0, 1, 2)), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("drawn_anew", [False, True])
def test_first_weights(name, drawn_anew):
    network = getattr(autoencoder, name)(NetworkSpec((32, 32, 1), dim=16, latent_dim=32))
    values = {id(variable): variable.numpy() for variable in network.variables}
    if drawn_anew:
        values = {id(v): first_value(v, tf.constant([3, i])).numpy() for i, v in enumerate(network.variables)}
    seen = []
    for variable in network.variables:
        value, name = values[id(variable)], name_of(variable)
        assert value.shape == variable.shape and value.dtype == np.float32
        if name in ("beta", "moving_mean", "moving_variance"):
            np.testing.assert_array_equal(value, 1.0 if name == "moving_variance" else 0.0)
            continue
        assert name in ("kernel", "gamma")
        spread = 0.02 / np.sqrt(value.size)
        assert abs(value.mean() - (name == "gamma")) < 4 * spread
        assert abs(value.std() - 0.02) < 4 * spread
        seen.append(value.ravel()[:8].tobytes())
    assert len(set(seen)) == len(seen) >= 5


def test_first_values_are_of_the_seed():
    variable = autoencoder.discriminator(NetworkSpec((8, 8, 1), dim=2, latent_dim=3)).variables[0]
    one, same, other = (first_value(variable, tf.constant(seed)) for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(one, same)
    assert not np.isin(one, other).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16(name):
    shape = (16, 16, 1)
    low = stirred(getattr(autoencoder, name)(NetworkSpec(shape, 2, 3, precision="bfloat16")))
    full = stirred(getattr(autoencoder, name)(NetworkSpec(shape, 2, 3)))
    inputs = random(0, 2, 3) if name == "decoder" else random(0, 2, *shape)
    for one, other in zip(tf.nest.flatten(low(inputs)), tf.nest.flatten(full(inputs)), strict=True):
        assert one.dtype == other.dtype == tf.float32
        assert 1e-5 < np.abs(one - other).max() / np.abs(other).max() < 0.1
    assert {variable.dtype for variable in tf_variables(low)} == {tf.float32}
