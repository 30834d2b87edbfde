import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import name_of
from fanogan_tf.networks import dcgan, resnet
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

NETWORKS = ("generator", "critic")


def spec(shape=(8, 8, 1), dim=2, latent_dim=3, **settings):
    return NetworkSpec(shape, dim, latent_dim, network="dcgan", **settings)


def random(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def stirred(network, seed=0):
    """Randomises every variable, so that no gain, offset or bias hides at 1 or 0."""
    generator = np.random.default_rng(seed)
    for variable in tf_variables(network):
        variable.assign(generator.uniform(0.1, 0.4, variable.shape) * generator.choice([-1, 1], variable.shape))
        if "variance" in variable.name or "gamma" in variable.name:
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return network


def inputs(name, shape=(8, 8, 1), count=3, latent_dim=3):
    return random(1, count, latent_dim) if name == "generator" else random(1, count, *shape)


def outputs(network, *arguments, **keywords):
    return tf.nest.flatten(network(*arguments, **keywords))


def test_the_spec_makes_these_networks():
    made = spec()
    assert isinstance(made.generator(), dcgan.Generator) and isinstance(made.critic(), dcgan.Discriminator)
    assert isinstance(made.encoder(), resnet.Encoder) and made.prior == "uniform"
    usual = NetworkSpec((8, 8, 1), 2, 3)
    assert isinstance(usual.generator(), resnet.Generator) and isinstance(usual.critic(), resnet.Critic)
    assert usual.prior == "normal"


@pytest.mark.parametrize(("shape", "channels"), [((64, 64, 1), [512, 256, 128, 64]), ((28, 20, 1), [128, 64])], ids=str)
def test_parameters_of_the_paper(shape, channels):
    """4 convolutions of 5x5, with 512-256-128-64 channels before each; for 28 x 20 images 2 of them, from 7 x 5 pixels."""
    paper = spec(shape, dim=64, latent_dim=100)
    first, *rest, last = channels
    base = (shape[0] >> len(channels)) * (shape[1] >> len(channels))
    between = sum(25 * one * other for one, other in itertools.pairwise(channels))
    generator = 100 * base * first + 2 * first + between + 2 * sum([*rest, last]) + 25 * last + 1
    discriminator = 25 * last + last + between + 2 * sum([first, *rest]) + base * first + 1
    for network, count in ((paper.generator(), generator), (paper.critic(), discriminator)):
        assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == count
        # A mean and a variance per normalised channel.
        averages = sum([first, *rest, last]) if network.name == "generator" else sum([first, *rest])
        assert sum(int(np.prod(v.shape)) for v in network.non_trainable_variables) == 2 * averages
        assert {v.shape[:2] for v in network.trainable_variables if len(v.shape) == 4} == {(5, 5)}


@pytest.mark.parametrize("name", NETWORKS)
def test_first_weights(name):
    """N(0, 0.02), no two layers alike, determined by the seed."""

    def kernels(seed):
        keras.utils.set_random_seed(seed)
        return [v.numpy() for v in getattr(spec((32, 32, 1), dim=8), name)().trainable_variables if name_of(v) == "kernel"]

    first, again, other = kernels(1), kernels(1), kernels(2)
    assert len(first) == 4
    for i, kernel in enumerate(first):
        np.testing.assert_array_equal(kernel, again[i])
        assert not np.array_equal(kernel, other[i])
        assert abs(kernel.std() / 0.02 - 1) < 5 / np.sqrt(2 * kernel.size)
        assert not any(np.array_equal(kernel.ravel()[:20], one.ravel()[:20]) for one in first[:i])


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 48, 1), (64, 96, 1)], ids=str)
def test_shapes_and_ranges(shape):
    made = spec(shape)
    images = stirred(made.generator())(10.0 * random(0, 2, 3))
    assert images.shape == (2, *shape) and np.abs(images).max() <= 1.0 and np.std(images) > 0
    logits, features = made.critic()(images)
    blocks = {8: 1, 28: 2, 32: 3, 64: 4}[shape[0]]
    assert logits.shape == (2,)
    assert features.shape == (2, (shape[0] >> blocks) * (shape[1] >> blocks) * 2 * 2 ** (blocks - 1))
    assert {images.dtype, logits.dtype, features.dtype} == {tf.float32}


def numpy_conv(images, kernel):
    """5x5 on every other pixel. Of the three lines of zeros that it needs, one is before the image and two are behind it."""
    batch, height, width, _ = images.shape
    padded = np.pad(images, [(0, 0), (1, 2), (1, 2), (0, 0)])
    result = np.zeros((batch, height // 2, width // 2, kernel.shape[3]))
    for i in range(height // 2):
        for j in range(width // 2):
            result[:, i, j] = np.einsum("bijc,ijcd->bd", padded[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5], kernel)
    return result


def numpy_fractional_conv(images, kernel):
    """A strided convolution backwards: each pixel is spread over 5x5, two pixels apart."""
    batch, height, width, _ = images.shape
    result = np.zeros((batch, 2 * height + 3, 2 * width + 3, kernel.shape[2]))
    for i in range(height):
        for j in range(width):
            result[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5] += np.einsum("bc,ijdc->bijd", images[:, i, j], kernel)
    return result[:, 1:-2, 1:-2]


def numpy_norm(x, norm):
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + 1e-5)
    return (x - norm.moving_mean.numpy()) * scale + norm.beta.numpy()


def test_generator_in_numpy():
    generator, z = stirred(spec((20, 16, 1)).generator()), random(0, 2, 3)
    x = (z @ generator.dense.kernel.numpy()).reshape(2, 5, 4, 4)
    x = np.maximum(numpy_norm(x, generator.norm), 0)
    for block in generator.blocks:
        x = np.maximum(numpy_norm(numpy_fractional_conv(x, block.kernel.numpy()), block.norm), 0)
    expected = np.tanh(numpy_fractional_conv(x, generator.conv.kernel.numpy()) + generator.conv.bias.numpy())
    assert len(generator.blocks) == 1 and expected.shape == (2, 20, 16, 1)
    np.testing.assert_allclose(generator(z), expected, rtol=1e-3, atol=1e-4)


def test_discriminator_in_numpy():
    critic, images = stirred(spec((40, 32, 1)).critic()), random(0, 2, 40, 32, 1)
    logits, features = critic(images)
    x = numpy_conv(images, critic.blocks[0].kernel.numpy()) + critic.blocks[0].bias.numpy()
    for block in critic.blocks[1:]:
        x = np.where(x > 0, x, 0.2 * x)
        x = numpy_norm(numpy_conv(x, block.kernel.numpy()), block.norm)
    expected = np.where(x > 0, x, 0.2 * x).reshape(2, -1)
    assert len(critic.blocks) == 3 and expected.shape == (2, 5 * 4 * 8)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    expected = expected @ critic.dense.kernel.numpy()[:, 0] + critic.dense.bias.numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_and_plain_are_the_same_function(name):
    folded, plain = (getattr(spec((16, 16, 1), folded=folded), name)() for folded in (True, False))
    plain.set_weights(stirred(folded).get_weights())
    some = inputs(name, (16, 16, 1))
    for training in (False, True):
        for one, other in zip(outputs(folded, some, training=training), outputs(plain, some, training=training), strict=True):
            assert np.std(other) > 0
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_normalisation(name):
    """Training normalises over the batch and updates the averages by a tenth; inference, the default, treats images alone."""
    network, some = stirred(getattr(spec((16, 16, 1)), name)()), inputs(name, (16, 16, 1), count=5)
    together, alone = outputs(network, some), outputs(network, some[:1])
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(one[0], many[0], rtol=1e-5, atol=1e-6)
    norm = network.norm if name == "generator" else network.blocks[1].norm
    if name == "generator":
        seen = network.reshape(network.dense(some))
    else:
        seen = network.blocks[1].convolve(tf.nn.leaky_relu(network.blocks[0](some), 0.2), network.blocks[1].kernel)
    before = norm.moving_mean.numpy()
    together = outputs(network, some, training=True)
    np.testing.assert_allclose(norm.moving_mean, 0.9 * before + 0.1 * np.mean(seen, axis=(0, 1, 2)), rtol=1e-4, atol=1e-6)
    assert np.abs(together[0][0] - outputs(network, some[:1], training=True)[0][0]).max() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_16_bits(name, precision):
    low, full = (stirred(getattr(spec((16, 16, 1), precision=kind), name)()) for kind in (precision, "none"))
    assert {variable.dtype for variable in tf_variables(low)} == {tf.float32}
    for training in (False, True):
        some = inputs(name, (16, 16, 1))
        for one, other in zip(outputs(low, some, training=training), outputs(full, some, training=training), strict=True):
            assert one.dtype == other.dtype == tf.float32
            largest, difference = np.abs(other).max(), np.abs(one - other).max()
            assert 1e-6 * largest < difference < 0.15 * largest
