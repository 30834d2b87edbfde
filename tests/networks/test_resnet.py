import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import name_of, tf_variable
from fanogan_tf.networks.resampling import he_uniform
from fanogan_tf.networks.resnet import DownBlock, value_of_map
from fanogan_tf.networks.spec import NetworkSpec, tf_variables
from fanogan_tf.training.losses import gradient_penalty

NETWORKS = ("generator", "critic", "encoder")


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def random(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def stirred(network, seed=0):
    """Randomises every variable, so that no gain, offset or bias hides at 1 or 0."""
    generator = np.random.default_rng(seed)
    for variable in tf_variables(network):
        variable.assign(generator.uniform(0.5, 1.5, variable.shape) * generator.choice([-1, 1], variable.shape) * 0.3)
        if "variance" in variable.name or "gamma" in variable.name:
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return network


@pytest.fixture(scope="module")
def paper():
    spec = NetworkSpec((64, 64, 1), dim=64, latent_dim=128)
    return {name: getattr(spec, name)() for name in NETWORKS}


def test_parameters_of_the_paper(paper):
    assert {name: count(network) for name, network in paper.items()} == {
        "generator": 8_539_329,
        "critic": 7_490_689,
        "encoder": 8_531_200,
    }


def test_moving_averages_are_not_trained(paper):
    # Batch normalisation keeps a mean and a variance per channel. Generator: 2 per block and a last one; critic: none.
    kept = {name: sum(int(np.prod(v.shape)) for v in network.non_trainable_variables) for name, network in paper.items()}
    up = (512 + 512) + (512 + 256) + (256 + 128) + (128 + 64) + 64
    down = 2 * (64 + 128 + 256 + 512)
    assert kept == {"generator": 2 * up, "critic": 0, "encoder": 2 * down}


def test_features_of_the_paper():
    features = NetworkSpec((64, 64, 1), dim=2, latent_dim=3).critic()(random(0, 1, 64, 64, 1))[1]
    assert features.shape == (1, 4 * 4 * 8 * 2)


def bound_of(variable):
    """Returns the largest weight of a uniform initialiser, its fan-in and its fan-out."""
    *kernel, fan_in, fan_out = variable.shape
    return np.abs(variable.numpy()).max(), int(np.prod(kernel)) * fan_in, int(np.prod(kernel)) * fan_out


@pytest.mark.parametrize("name", NETWORKS)
def test_initial_weights(paper, name):
    """He-uniform for 3x3 convolutions in the blocks; Glorot for shortcuts, dense layers and the critic's first."""
    kernels = 0
    for variable in paper[name].trainable_variables:
        if name_of(variable) == "kernel":
            kernels += 1
            largest, fan_in, fan_out = bound_of(variable)
            plain = len(variable.shape) == 2 or variable.shape[0] == 1 or (name != "generator" and variable.shape[2] == 1)
            bound = np.sqrt((6 if plain else 12) / (fan_in + fan_out))
            assert 0.95 * bound < largest <= bound * (1 + 1e-6), variable.name
            assert abs(variable.numpy().mean()) < 4 * bound / np.sqrt(3 * np.prod(variable.shape))
        else:
            np.testing.assert_array_equal(variable.numpy(), 1.0 if name_of(variable) == "gamma" else 0.0)
    assert kernels == 14  # 4 blocks of 3, the first or last convolution, the dense layer


def test_he_by_hand():
    kernel = he_uniform()((3, 3, 40, 24), "float32").numpy()
    bound = np.sqrt(3 * 2 * 2 / (9 * 40 + 9 * 24))
    assert 0.99 * bound < np.abs(kernel).max() <= bound
    assert abs(kernel.var() / (4 / (9 * 40 + 9 * 24)) - 1) < 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_no_two_layers_begin_alike(paper, name):
    kernels = [v.numpy() for v in paper[name].trainable_variables if name_of(v) == "kernel"]
    for i, kernel in enumerate(kernels):
        assert not any(kernel.shape == other.shape and np.array_equal(kernel, other) for other in kernels[:i])


@pytest.mark.parametrize("name", NETWORKS)
def test_first_weights_are_those_of_the_seed(name):
    def kernels(seed):
        keras.utils.set_random_seed(seed)
        network = getattr(NetworkSpec((8, 8, 1), dim=2, latent_dim=3), name)()
        return [v.numpy() for v in network.trainable_variables if name_of(v) == "kernel"]

    first, again, other = kernels(1), kernels(1), kernels(2)
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, different)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 1), (64, 96, 1)], ids=str)
def test_shapes_and_ranges(shape):
    spec = NetworkSpec(shape, dim=2, latent_dim=3)
    images = spec.generator()(10.0 * random(0, 2, 3))
    assert images.shape == (2, *shape) and np.abs(images).max() <= 1.0 and np.std(images) > 0
    values, features = spec.critic()(images)
    blocks = {8: 1, 28: 2, 32: 3, 64: 4}[shape[0]]
    last = 2 * min(2**blocks, 8)
    assert values.shape == (2,)
    assert features.shape == (2, (shape[0] >> blocks) * (shape[1] >> blocks) * last)
    z = stirred(spec.encoder())(images)
    assert z.shape == (2, 3) and np.abs(z).max() <= 1.0


def test_generator_stays_in_its_range():
    generator = stirred(NetworkSpec((8, 8, 1), dim=2, latent_dim=3).generator())
    images = generator(100.0 * random(0, 20, 3)).numpy()
    assert np.abs(images).max() <= 1.0 and np.abs(images).max() > 0.999


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_and_plain_are_the_same_function(name):
    specs = [NetworkSpec((28, 20, 1), dim=3, latent_dim=4, bound="linear", folded=folded) for folded in (True, False)]
    folded, plain = (getattr(spec, name)() for spec in specs)
    plain.set_weights(stirred(folded).get_weights())
    inputs = random(1, 3, 4) if name == "generator" else random(1, 3, 28, 20, 1)
    for one, other in zip(tf.nest.flatten(folded(inputs)), tf.nest.flatten(plain(inputs)), strict=True):
        assert np.std(other) > 0
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("name", ["generator", "encoder"])
def test_folded_and_plain_are_trained_the_same_way(name):
    """Values, moving averages and gradients, where images depend on their batch."""
    specs = [NetworkSpec((20, 16, 1), dim=3, latent_dim=4, bound="linear", folded=folded) for folded in (True, False)]
    folded, plain = (getattr(spec, name)() for spec in specs)
    plain.set_weights(stirred(folded).get_weights())
    inputs = random(1, 5, 4) if name == "generator" else random(1, 5, 20, 16, 1)
    results = []
    for network in (folded, plain):
        with tf.GradientTape() as tape:
            values = network(inputs, training=True)
            loss = tf.reduce_mean(values * random(2, *values.shape))
        gradients = tape.gradient(loss, [tf_variable(v) for v in network.trainable_variables])
        results.append([values, *gradients, *network.get_weights()])
    largest = max(np.abs(gradient).max() for gradient in results[1][1 : 1 + len(gradients)])
    assert largest > 1e-3
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * max(largest, np.abs(other).max()))


def test_a_gradient_penalty_folded_and_plain():
    """Second-order gradients, through all of the critic."""
    specs = [NetworkSpec((20, 16, 1), dim=3, latent_dim=4, folded=folded) for folded in (True, False)]
    folded, plain = (spec.critic() for spec in specs)
    plain.set_weights(stirred(folded).get_weights())
    images, results = tf.constant(random(1, 3, 20, 16, 1)), []
    for network in (folded, plain):
        with tf.GradientTape() as tape:
            penalty = gradient_penalty(lambda x, network=network: network(x)[0], images)
        gradients = tape.gradient(penalty, [tf_variable(v) for v in network.trainable_variables])
        results.append([penalty, *(g for g in gradients if g is not None)])
    largest = max(np.abs(gradient).max() for gradient in results[1][1:])
    assert largest > 1e-3
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())


def test_in_inference_batch_normalisation_is_part_of_the_kernel():
    """Inference does not call the normalisation layers between two convolutions; training does."""
    generator = NetworkSpec((8, 8, 1), dim=2, latent_dim=3).generator()
    norm, called = generator.blocks[0].norm_2, []
    original = norm.call
    norm.call = lambda *arguments, **keywords: called.append(1) or original(*arguments, **keywords)
    generator(random(0, 2, 3), training=False)
    assert not called
    generator(random(0, 2, 3), training=True)
    assert called


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("image", [0, 3])
def test_other_images_of_the_batch_change_nothing(name, image):
    network = stirred(getattr(NetworkSpec((8, 8, 1), dim=3, latent_dim=4, bound="linear"), name)())
    inputs = random(1, 5, 4) if name == "generator" else random(1, 5, 8, 8, 1)
    together = tf.nest.flatten(network(inputs))
    alone = tf.nest.flatten(network(inputs[image : image + 1]))
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(one[0], many[image], rtol=1e-5, atol=1e-6)


def test_batch_normalisation_of_generator_and_encoder_in_training():
    """In training they normalise over the batch, and update the averages by 1 %."""
    spec = NetworkSpec((8, 8, 1), dim=3, latent_dim=4)
    for network, inputs in ((spec.generator(), random(1, 5, 4)), (spec.encoder(), random(1, 5, 8, 8, 1))):
        together, alone = network(inputs, training=True), network(inputs[:1], training=True)
        assert np.abs(together[0] - alone[0]).max() > 1e-3
        first = network.blocks[0] if hasattr(network, "blocks") else network.body.blocks[0]
        before = first.norm_1.moving_mean.numpy()
        seen = network.reshape(network.dense(inputs)) if hasattr(network, "blocks") else network.body.conv(inputs)
        network(inputs, training=True)
        mean = np.mean(seen, axis=(0, 1, 2))
        np.testing.assert_allclose(first.norm_1.moving_mean.numpy(), 0.99 * before + 0.01 * mean, rtol=1e-4, atol=1e-6)
        assert first.norm_1.epsilon == 1e-3


def test_normalisation_of_the_critic():
    norm = DownBlock(4, "layer", folded=True).norm_1
    images = 3.0 * random(0, 2, 6, 4, 5) + 1.0
    norm.build(images.shape)
    gain, offset = random(1, 5) + 2.0, random(2, 5)
    assert [tuple(v.shape) for v in norm.trainable_variables] == [(5,), (5,)]
    norm.gamma.assign(gain)
    norm.beta.assign(offset)
    mean, variance = images.mean((1, 2, 3), keepdims=True), images.var((1, 2, 3), keepdims=True)
    expected = (images - mean) / np.sqrt(variance + 1e-5) * gain + offset
    np.testing.assert_allclose(norm(images), expected, rtol=1e-4, atol=1e-5)
    dim = np.full((1, 6, 4, 5), 1e-3, np.float32) * random(3, 1, 6, 4, 5)
    expected = (dim - dim.mean()) / np.sqrt(dim.var() + 1e-5) * gain + offset
    np.testing.assert_allclose(norm(dim), expected, rtol=1e-4, atol=1e-5)


def numpy_conv(images, kernel, bias=0.0):
    height, width = images.shape[1:3]
    side = kernel.shape[0]
    padded = np.pad(images, [(0, 0), (side // 2,) * 2, (side // 2,) * 2, (0, 0)])
    rows = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(side) for j in range(side)]
    return sum(rows) + bias


def numpy_pool(images):
    batch, height, width, channels = images.shape
    return images.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))


def numpy_norm(images, layer):
    """Normalises over the image for the critic, by the moving averages for the others."""
    if hasattr(layer, "moving_mean"):
        mean, variance, epsilon = layer.moving_mean.numpy(), layer.moving_variance.numpy(), 1e-3
    else:
        mean, variance, epsilon = images.mean((1, 2, 3), keepdims=True), images.var((1, 2, 3), keepdims=True), 1e-5
    return (images - mean) / np.sqrt(variance + epsilon) * layer.gamma.numpy() + layer.beta.numpy()


def numpy_body(body, images):
    x = numpy_conv(images, *(v.numpy() for v in body.conv.variables))
    for block in body.blocks:
        main = numpy_conv(np.maximum(numpy_norm(x, block.norm_1), 0), block.conv_1.kernel.numpy())
        main = np.maximum(numpy_norm(main, block.norm_2), 0)
        main = numpy_pool(numpy_conv(main, block.conv_2.kernel.numpy(), block.conv_2.bias.numpy()))
        x = main + numpy_pool(numpy_conv(x, block.shortcut.kernel.numpy(), block.shortcut.bias.numpy()))
    return x.reshape(len(x), -1)


@pytest.mark.parametrize("network", ["resnet", "dcgan"])
def test_hidden_is_what_the_critic_says_and_all_its_maps(network):
    critic = NetworkSpec((16, 16, 1), dim=4, latent_dim=2, network=network).critic()
    images = tf.random.stateless_normal((5, 16, 16, 1), (0, 1))
    values, features = critic(images)
    again, same, maps = critic.hidden(images)
    np.testing.assert_allclose(again, values, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(same, features)
    np.testing.assert_array_equal(tf.reshape(maps[-1], (5, -1)), features)
    assert [tuple(one.shape[1:3]) for one in maps] == [(8, 8), (4, 4)]


def test_a_value_is_exact_where_one_sum_would_not_be():
    """8,192 products of about 0.1, of either sign. As one sum they were off by 2e-5, and one after the other by 6e-5."""
    random = np.random.default_rng(0)
    last = random.standard_normal((200, 4, 4, 512)).astype(np.float32)
    dense = keras.layers.Dense(1, bias_initializer="ones")
    dense.build((None, last[0].size))
    dense.kernel.assign(0.1 * random.standard_normal((last[0].size, 1)))
    expected = last.reshape(200, -1).astype(np.float64) @ dense.kernel.numpy().astype(np.float64)[:, 0] + 1.0
    np.testing.assert_allclose(value_of_map(tf.constant(last), dense), expected, rtol=0, atol=8e-6)


def test_critic_in_numpy():
    critic, images = stirred(NetworkSpec((20, 16, 1), dim=2, latent_dim=3).critic()), random(0, 2, 20, 16, 1)
    values, features = critic(images)
    expected = numpy_body(critic.body, images)
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    expected = expected @ critic.dense.kernel.numpy()[:, 0] + critic.dense.bias.numpy()
    np.testing.assert_allclose(values, expected, rtol=1e-3)


def test_encoder_in_numpy():
    encoder = stirred(NetworkSpec((20, 16, 1), dim=2, latent_dim=3, bound="tanh_3").encoder())
    images = random(0, 2, 20, 16, 1)
    z = numpy_body(encoder.body, images) @ encoder.dense.kernel.numpy() + encoder.dense.bias.numpy()
    np.testing.assert_allclose(encoder(images), 3 * np.tanh(z), rtol=1e-3, atol=1e-4)


def test_generator_in_numpy():
    generator = stirred(NetworkSpec((20, 16, 1), dim=2, latent_dim=3).generator())
    z = random(0, 2, 3)
    x = z @ generator.dense.kernel.numpy() + generator.dense.bias.numpy()
    x = x.reshape(2, 5, 4, 8)
    for block in generator.blocks:
        main = np.kron(np.maximum(numpy_norm(x, block.norm_1), 0), np.ones((1, 2, 2, 1)))
        main = numpy_conv(main, block.conv_1.kernel.numpy())
        main = np.maximum(numpy_norm(main, block.norm_2), 0)
        main = numpy_conv(main, block.conv_2.kernel.numpy(), block.conv_2.bias.numpy())
        x = main + numpy_conv(np.kron(x, np.ones((1, 2, 2, 1))), block.shortcut.kernel.numpy(), block.shortcut.bias.numpy())
    x = np.maximum(numpy_norm(x, generator.norm), 0)
    expected = np.tanh(numpy_conv(x, generator.conv.kernel.numpy(), generator.conv.bias.numpy()))
    np.testing.assert_allclose(generator(z), expected, rtol=1e-3, atol=1e-4)
