"""What tensorflow-addons has too is the yardstick for ours: layers, losses, optimizers, operations on images, metrics."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.evaluation.metrics import at_threshold
from fanogan_tf.networks import resampling
from fanogan_tf.networks.normalization import LayerNormalization
from fanogan_tf.training import augmentation, losses
from fanogan_tf.training.averaging import Average
from fanogan_tf.training.optimization import Adam

addons = pytest.importorskip("tensorflow_addons", reason="tensorflow-addons is not installed here: make test-addons")


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_layer_normalisation_is_group_normalisation_of_one_group():
    """Values, and gradients by images, gains and offsets."""
    images, weights, results = tf.constant(random(0, 3, 6, 4, 5) + 1.0), random(1, 3, 6, 4, 5), []
    for layer in (LayerNormalization(), addons.layers.GroupNormalization(groups=1, epsilon=1e-5)):
        layer.build(images.shape)
        layer.gamma.assign(random(2, 5) + 2.0)
        layer.beta.assign(random(3, 5))
        with tf.GradientTape() as tape:
            tape.watch(images)
            values = layer(images)
            loss = tf.reduce_sum(values**2 * weights)
        results.append([values, *tape.gradient(loss, [images, layer.gamma, layer.beta])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_pooling_is_adaptive_pooling_to_half_the_sides():
    images = random(0, 2, 12, 8, 3)
    np.testing.assert_allclose(
        resampling.mean_pool(images), addons.layers.AdaptiveAveragePooling2D((6, 4))(images), rtol=1e-5, atol=1e-6
    )


def test_cross_entropies_are_focal_ones_without_focus():
    logits = 5.0 * random(0, 50)
    focal = addons.losses.SigmoidFocalCrossEntropy(True, alpha=0.0, gamma=0.0, reduction="none")
    for ours, label in ((losses.against_real, 1.0), (losses.against_fake, 0.0)):
        theirs = focal(tf.fill((50, 1), label), logits[:, None])
        np.testing.assert_allclose(ours(tf.constant(logits)), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [addons.optimizers.LazyAdam, lambda *arguments, **settings: addons.optimizers.AdamW(0.0, *arguments, **settings)],
    ids=["LazyAdam", "AdamW"],
)
def test_adam(kind):
    """Of dense gradients, and without decay of weights."""
    ours, theirs = tf.Variable(random(0, 4, 3)), tf.Variable(random(0, 4, 3))
    optimizers = [made(1e-2, beta_1=0.5, beta_2=0.9) for made in (Adam, kind)]
    optimizers[0].build([ours])
    for step in range(10):
        for variable, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.apply_gradients([(tf.constant(random(step, 4, 3)), variable)])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert np.abs(ours.numpy() - random(0, 4, 3)).min() > 1e-3


def test_the_average_of_weights_is_that_of_moving_average():
    """From the first update on, past the one at which its memory stops growing."""
    variable = tf.Variable(random(0, 6))
    average = Average([types.SimpleNamespace(variables=[variable])], decay=0.8)
    moving = addons.optimizers.MovingAverage(tf.keras.optimizers.legacy.SGD(0.5), average_decay=0.8, dynamic_decay=True)
    for step in range(60):
        moving.apply_gradients([(tf.constant(random(step + 1, 6)), variable)])
        average.update(tf.constant(step, tf.int64))
        (ours,), theirs = average.variables, moving.get_slot(variable, "average")
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=f"{step}")
    assert np.abs(ours.numpy() - variable.numpy()).min() > 1e-3


def test_translations():
    """Each image is one of addons' translations, by at most an eighth of its sides; together they are of many kinds."""
    images = random(0, 20, 16, 24, 1)
    moved = augmentation.translation(tf.constant(images), tf.constant([1, 2])).numpy()
    ways = np.array([(across, down) for down in range(-2, 3) for across in range(-3, 4)], np.float32)
    seen = set()
    for before, after in zip(images, moved, strict=True):
        possible = addons.image.translate(np.repeat(before[None], len(ways), axis=0), ways).numpy()
        (way,) = np.flatnonzero((possible == after).all(axis=(1, 2, 3)))
        seen.add(way)
    assert len(seen) > 10


def centres(gone):
    """Where squares of half a side's length lie, of (B, side) bool: on one side, the image's border may cut them."""
    half = gone.shape[1] // 4
    first, behind = gone.argmax(axis=1), gone.shape[1] - gone[:, ::-1].argmax(axis=1)
    return np.where(first > 0, first + half, behind - half)


def test_cutouts():
    images, seed = random(0, 20, 16, 24, 1), tf.constant([3, 4])
    gone = augmentation.cutout(tf.ones_like(images), seed).numpy()[..., 0] == 0.0
    offset = np.stack([centres(gone.any(axis=2)), centres(gone.any(axis=1))], axis=1)
    assert len({*map(tuple, offset)}) > 15
    np.testing.assert_array_equal(
        augmentation.cutout(tf.constant(images), seed), addons.image.cutout(images, (8, 12), offset.astype(np.int32))
    )


def test_the_f_score():
    labels, scores = np.random.default_rng(0).integers(0, 2, 40), random(1, 40)
    metric = addons.metrics.F1Score(1, average="micro", threshold=0.2)
    metric.update_state(labels[:, None].astype(np.float32), scores[:, None])
    assert at_threshold(labels, scores, 0.2)["f_score"] == pytest.approx(float(metric.result()), rel=1e-6)
