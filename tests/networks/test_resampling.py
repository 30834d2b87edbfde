import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks import resampling
from fanogan_tf.networks.resampling import ConvMeanPool, UpsampleConv

PAIRS = {
    "down": (resampling.conv_mean_pool, resampling.plain_conv_mean_pool),
    "up": (resampling.upsample_conv, resampling.plain_upsample_conv),
}
# Height, width, channels in, channels out.
SIZES = [(2, 2, 1, 1), (4, 6, 3, 5), (8, 8, 1, 7), (10, 4, 2, 3), (14, 14, 3, 2)]


def random(seed, *shape):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def close(one, other):
    """Asserts equality to 1e-5 of the largest value."""
    other = np.asarray(other)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.fixture(params=[(kind, size) for kind in PAIRS for size in SIZES], ids=str)
def case(request):
    kind, (height, width, channels, filters) = request.param
    return (*PAIRS[kind], random(0, 2, height, width, channels), random(1, 3, 3, channels, filters))


def test_values(case):
    folded, plain, images, kernel = case
    assert folded(images, kernel).shape == plain(images, kernel).shape
    close(folded(images, kernel), plain(images, kernel))


def first_order(function, images, kernel):
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        outputs = function(images, kernel)
        loss = tf.reduce_sum(outputs * random(2, *outputs.shape)) + tf.reduce_sum(outputs**2)
    return tape.gradient(loss, [images, kernel])


def test_gradients(case):
    folded, plain, images, kernel = case
    for one, other in zip(first_order(folded, images, kernel), first_order(plain, images, kernel), strict=True):
        assert np.abs(other).max() > 0.1
        close(one, other)


def second_order(function, images, kernel):
    """Differentiates a gradient penalty with respect to the kernel and the images."""
    with tf.GradientTape() as outer:
        outer.watch([images, kernel])
        with tf.GradientTape() as inner:
            inner.watch(images)
            outputs = function(images, kernel)
            values = tf.reduce_sum(tf.nn.tanh(outputs) * random(3, *outputs.shape))
        gradient = inner.gradient(values, images)
        penalty = tf.reduce_mean((tf.norm(tf.reshape(gradient, (len(images), -1)), axis=1) - 1.0) ** 2)
    return outer.gradient(penalty, [kernel, images])


def test_gradients_of_a_gradient_penalty(case):
    folded, plain, images, kernel = case
    for one, other in zip(second_order(folded, images, kernel), second_order(plain, images, kernel), strict=True):
        assert np.abs(other).max() > 1e-3
        close(one, other)


def test_down_by_hand():
    """One bright pixel in the corner, and a kernel of ones: all 4 convolutions of the corner see it, and no others do."""
    image = np.zeros((1, 4, 4, 1), np.float32)
    image[0, 0, 0] = 1.0
    expected = [[1.0, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(resampling.conv_mean_pool(image, tf.ones((3, 3, 1, 1)))[0, ..., 0], expected, atol=1e-6)
    # At (1, 1), 9 convolutions see the pixel: 4 in its own square, 2 + 2 + 1 in the neighbours.
    image = np.roll(image, (1, 1), (1, 2))
    expected = [[1.0, 0.5], [0.5, 0.25]]
    np.testing.assert_allclose(resampling.conv_mean_pool(image, tf.ones((3, 3, 1, 1)))[0, ..., 0], expected, atol=1e-6)


def test_up_by_hand():
    """A kernel that reads the upper left neighbour moves the doubled image down and right, and leaves a border of zeros."""
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[0, 0] = 1.0
    image = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)[None, ..., None]
    expected = [[0, 0, 0, 0], [0, 1, 1, 2], [0, 1, 1, 2], [0, 3, 3, 4]]
    np.testing.assert_allclose(resampling.upsample_conv(image, tf.constant(kernel))[0, ..., 0], expected, atol=1e-6)


def test_pool_and_doubling_by_hand():
    image = np.arange(8, dtype=np.float32).reshape(1, 2, 4, 1)
    np.testing.assert_allclose(resampling.mean_pool(image)[0, ..., 0], [[2.5, 4.5]])
    doubled = resampling.upsample(image)[0, ..., 0]
    np.testing.assert_array_equal(doubled, np.kron(image[0, ..., 0], np.ones((2, 2))))


@pytest.mark.parametrize("compiled", [False, True])
def test_doubling_at_rest_is_that_of_training(compiled):
    """Values and gradients, compiled by XLA as well: an encoder is trained through a generator at rest."""
    images, upstream = random(0, 2, 4, 6, 3), random(1, 2, 8, 12, 3)

    @tf.function(jit_compile=compiled)
    def doubled(images, training):
        with tf.GradientTape() as tape:
            tape.watch(images)
            found = resampling.upsample(images, training)
            total = tf.reduce_sum(found * upstream)
        return found, tape.gradient(total, images)

    at_rest, in_training = doubled(tf.constant(images), False), doubled(tf.constant(images), True)
    np.testing.assert_array_equal(at_rest[0], in_training[0])
    np.testing.assert_allclose(at_rest[1], in_training[1], rtol=1e-6)
    by_hand = np.reshape(upstream, (2, 4, 2, 6, 2, 3)).sum(axis=(2, 4))
    np.testing.assert_allclose(at_rest[1], by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [ConvMeanPool, UpsampleConv])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("folded", [True, False])
def test_parameters_of_a_plain_convolution(layer, use_bias, folded):
    resampled, plain = layer(5, use_bias=use_bias, folded=folded), keras.layers.Conv2D(5, 3, use_bias=use_bias)
    resampled.build((None, 4, 4, 3))
    plain.build((None, 4, 4, 3))
    shapes = [tuple(v.shape) for v in resampled.trainable_variables]
    assert shapes == [tuple(v.shape) for v in plain.trainable_variables]
    assert shapes[0] == (3, 3, 3, 5) and resampled.count_params() == 135 + 5 * use_bias


@pytest.mark.parametrize("folded", [True, False])
def test_layers(folded):
    images = random(0, 2, 6, 4, 3)
    for layer, convolution in ((ConvMeanPool, PAIRS["down"][1]), (UpsampleConv, PAIRS["up"][1])):
        built = layer(5, use_bias=True, folded=folded)
        built(images)
        built.bias.assign(np.arange(5))
        close(built(images), convolution(images, tf.convert_to_tensor(built.kernel)) + np.arange(5))


@pytest.mark.parametrize(("layer", "sides"), [(ConvMeanPool, (5, 4)), (ConvMeanPool, (None, None)), (UpsampleConv, (4, None))])
def test_what_cannot_be_folded_is_computed_plainly_and_says_so(layer, sides, caplog):
    resampling._say_plain.cache_clear()
    for _ in range(2):
        built = layer(2, use_bias=False, folded=True)
        built.build((None, *sides, 3))
    assert not built.folded and len(caplog.messages) == 1 and "plain, slower way" in caplog.messages[0]
    images = random(0, 2, 5, 4, 3)
    plain = PAIRS["down" if layer is ConvMeanPool else "up"][1]
    close(built(images), plain(images, tf.convert_to_tensor(built.kernel)))


def test_doubling_of_unknown_size():
    doubled = tf.function(resampling.upsample, input_signature=[tf.TensorSpec((None, None, None, 3))])
    images = random(0, 2, 5, 4, 3)
    np.testing.assert_array_equal(doubled(images), np.kron(images, np.ones((1, 2, 2, 1))))


def test_what_can_be_folded_says_nothing(caplog):
    resampling._say_plain.cache_clear()
    for layer in (ConvMeanPool, UpsampleConv):
        built = layer(2, use_bias=False, folded=True)
        built.build((None, 6, 4, 3))
        assert built.folded
    assert not caplog.messages


def multiplications(function, images, kernel):
    """Counts them with TensorFlow's own profiler."""
    graph = tf.function(function).get_concrete_function(images, kernel).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    counted = tf.compat.v1.profiler.profile(graph, options={**options, "output": "none"})
    return sum(node.total_float_ops for node in counted.children if "onv2D" in node.name) / 2


def test_down_takes_a_quarter_of_the_multiplications():
    images, kernel = random(0, 1, 16, 16, 8), random(1, 3, 3, 8, 8)
    assert multiplications(resampling.plain_conv_mean_pool, images, kernel) == 16 * 16 * 9 * 8 * 8
    assert multiplications(resampling.conv_mean_pool, images, kernel) == 8 * 8 * 9 * 8 * 8
