import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.networks.latent import key
from fanogan_tf.training.augmentation import CHANGES, augmented
from tests.helpers.tiny import gan, images, numbers, state


def changed(some, name, seed=0):
    return augmented(tf.constant(some), (name,), key(seed)).numpy()


def some_images(count=200, height=16, width=24):
    return np.random.default_rng(0).uniform(0.1, 1.0, (count, height, width, 1)).astype(np.float32)


def test_colour():
    """Every image becomes mean + brightness + contrast (x - mean)."""
    some = some_images()
    found = changed(some, "colour")
    contrast = found.std(axis=(1, 2, 3)) / some.std(axis=(1, 2, 3))
    brightness = (found - some).mean(axis=(1, 2, 3))
    for drawn, low, high in ((contrast, 0.5, 1.5), (brightness, -0.5, 0.5)):
        assert low <= drawn.min() < low + 0.05 and high - 0.05 < drawn.max() <= high
    mean = some.mean(axis=(1, 2, 3), keepdims=True)
    expected = mean + brightness[:, None, None, None] + contrast[:, None, None, None] * (some - mean)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_translation():
    """Every image is found again, moved by up to 2 of 16 rows and 3 of 24 columns, with zeros where nothing was."""
    some, moves = some_images(), set()
    for before, after in zip(some[..., 0], changed(some, "translation")[..., 0], strict=True):
        framed = np.pad(before, ((2, 2), (3, 3)))
        windows = {(2 - top, 3 - left): framed[top : top + 16, left : left + 24] for top in range(5) for left in range(7)}
        found = [move for move, window in windows.items() if np.array_equal(window, after)]
        assert len(found) == 1
        moves |= set(found)
    assert moves == {(down, right) for down in range(-2, 3) for right in range(-3, 4)}


def test_cutout():
    some = some_images()
    tops = set()
    for before, after in zip(some[..., 0], changed(some, "cutout")[..., 0], strict=True):
        gone = after == 0
        np.testing.assert_array_equal(after[~gone], before[~gone])
        rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
        assert gone[np.ix_(rows, columns)].all()
        # At most half of each side; less only where it reaches over the border.
        assert len(rows) == 8 or (len(rows) < 8 and (rows[0] == 0 or rows[-1] == 15))
        assert len(columns) == 12 or (len(columns) < 12 and (columns[0] == 0 or columns[-1] == 23))
        tops.add(rows[0])
    assert len(tops) > 10


@pytest.mark.parametrize("name", CHANGES)
def test_same_seed_same_change(name):
    some = some_images(count=4)
    np.testing.assert_array_equal(changed(some, name), changed(some, name))
    assert np.abs(changed(some, name) - changed(some, name, seed=1)).max() > 0


@pytest.mark.parametrize("name", CHANGES)
def test_gradient_reaches_the_images(name):
    some = tf.constant(some_images(count=4))
    with tf.GradientTape() as tape:
        tape.watch(some)
        total = tf.reduce_sum(tf.square(augmented(some, (name,), key(0))))
    assert np.abs(tape.gradient(total, some).numpy()).sum(axis=(1, 2, 3)).min() > 0


def test_what_the_critic_sees_is_changed_and_what_is_generated_is_not():
    """Of a GAN: the first update is another one, with numbers that are finite; samples come out as before."""
    plain, other = gan(n_critic=1), gan(n_critic=1, changes=tuple(CHANGES))
    z = tf.zeros((2, plain.latent_dim))
    np.testing.assert_array_equal(plain.generator(z), other.generator(z))
    logs = [numbers(model.train_step(images(0, 4))) for model in (plain, other)]
    assert np.isfinite(list(logs[1].values())).all()
    for name in ("critic_real", "critic_fake", "loss_g"):
        assert logs[0][name] != logs[1][name], name
    for name in ("generator", "critic"):
        assert any(np.abs(a - b).max() > 0 for a, b in zip(state(plain)[name], state(other)[name], strict=True)), name
