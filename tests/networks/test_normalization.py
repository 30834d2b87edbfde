import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.keras_line import KERAS_2, tf_variable
from fanogan_tf.networks.normalization import BatchNormalization, LayerNormalization, normalization
from fanogan_tf.networks.precision import computing_in


def random(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture
def pair():
    """Ours and Keras' layer, with the same gains and offsets."""
    ours, library = LayerNormalization(), keras.layers.GroupNormalization(groups=1, epsilon=1e-5)
    for layer in (ours, library):
        layer.build((None, 6, 4, 5))
        layer.gamma.assign(random(1, 5) + 2.0)
        layer.beta.assign(random(2, 5))
    return ours, library


def orders(layer, images):
    """Computes values, gradients, and gradients of a gradient's norm, of the layer behind one that weighs the pixels."""
    images, weights, before = tf.constant(images), random(3, *images.shape), random(4, *images.shape)
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            values = layer(images * before)
            loss = tf.reduce_sum(tf.nn.relu(values) ** 2 * weights)
        gradient = inner.gradient(loss, images)
        norm = tf.norm(gradient)
    return values, gradient, *outer.gradient(norm, [images, tf_variable(layer.gamma), tf_variable(layer.beta)])


def by_the_book(layer, images):
    """Normalises by the definition, without hiding anything from the tape."""
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    variance = tf.reduce_mean(tf.square(images - mean), axis=[1, 2, 3], keepdims=True)
    return (images - mean) / tf.sqrt(variance + 1e-5) * layer.gamma + layer.beta


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_values_and_gradients_of_both_orders(pair, offset):
    images = random(0, 2, 6, 4, 5) + offset
    ours, _ = pair
    book = lambda x: by_the_book(ours, x)  # noqa: E731
    book.gamma, book.beta = ours.gamma, ours.beta
    for one, other in zip(orders(ours, images), orders(book, images), strict=True):
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


def test_the_same_function_as_keras_layer(pair):
    """Up to first order: see LayerNormalization."""
    images = random(0, 2, 6, 4, 5)
    for one, other in list(zip(*(orders(layer, images) for layer in pair), strict=True))[:2]:
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


def test_an_image_without_structure(pair):
    """Rounding must not make the variance negative: no NaN for any constant."""
    for constant in (0.1, 0.7, 33.3, 1000.1):
        images = np.full((1, 6, 4, 5), constant, np.float32)
        assert np.isfinite(pair[0](images)).all()


def test_bfloat16_keeps_its_moments_in_float32():
    layer = LayerNormalization(dtype="mixed_bfloat16")
    images = tf.cast(random(0, 2, 16, 16, 8) + 4.0, tf.bfloat16)
    full = tf.cast(images, tf.float32)
    values = layer(images)
    assert values.dtype == tf.bfloat16 and layer.gamma.dtype == "float32"
    mean, sd = np.mean(full, axis=(1, 2, 3), keepdims=True), np.std(full, axis=(1, 2, 3), keepdims=True)
    # x * scale and shift are each rounded to 8 bits: an error of 2^-8 of their size, mean / sd = 7.
    np.testing.assert_allclose(tf.cast(values, tf.float32), (full - mean) / sd, atol=0.08)


def test_scale_and_shift_are_batch_normalisation_in_inference():
    norm, images = BatchNormalization(), random(0, 3, 4, 4, 5)
    norm(images)
    for i, variable in enumerate(norm.variables):
        variable.assign(random(i, 5) + 2.0)
    scale, shift = norm.inference_scale_and_shift()
    np.testing.assert_allclose(images * scale + shift, norm(images, training=False), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("training", "trainable"), [(False, True), (True, True), (True, False)])
def test_the_same_batch_normalisation_as_keras_layer(training, trainable):
    # Keras 2's own fused form divides the moving variance by one less.
    plain = {"fused": False} if KERAS_2 else {}
    ours, library = BatchNormalization(), keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3, **plain)
    images, results = tf.constant(random(0, 3, 4, 6, 5) + 1.0), []
    for layer in (ours, library):
        layer.build(images.shape)
        for i, variable in enumerate(layer.variables):
            variable.assign(random(i, 5) + 2.0)
        layer.trainable = trainable
        with tf.GradientTape() as tape:
            tape.watch([images, tf_variable(layer.gamma), tf_variable(layer.beta)])
            values = layer(images, training=training)
            loss = tf.reduce_sum(values**2 * random(9, *images.shape))
        gradients = tape.gradient(loss, [images, tf_variable(layer.gamma), tf_variable(layer.beta)])
        results.append([values, *gradients, *layer.get_weights()])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())
    assert (ours.moving_mean.numpy() != random(2, 5) + 2.0).all() == (training and trainable)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_batch_normalisation_in_16_bits(precision):
    with computing_in(precision):
        norm = BatchNormalization()
    images = random(0, 8, 16, 16, 5) + 3.0
    exact = (images - images.mean((0, 1, 2))) / np.sqrt(images.var((0, 1, 2)) + 1e-3)
    values = norm(tf.constant(images), training=True)
    assert values.dtype == precision and norm.moving_mean.dtype == "float32"
    np.testing.assert_allclose(tf.cast(values, tf.float32), exact, atol=0.05)
    np.testing.assert_allclose(norm.moving_mean, 0.01 * images.mean((0, 1, 2)), rtol=1e-3)


def test_kinds():
    assert isinstance(normalization("batch"), BatchNormalization)
    assert isinstance(normalization("layer"), LayerNormalization)
