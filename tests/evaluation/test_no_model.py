import numpy as np
import pytest

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.evaluation import no_model

NEAREST, PCA = "nearest training image", "PCA, 30 components"
STANDARDISED = ", each image standardised"


def image_set(images):
    count = len(images)
    return ImageSet(np.asarray(images), np.zeros(count, int), np.array([""] * count), np.array([str(i) for i in range(count)]))


def lines(count, seed):
    """Images (count, 16, 16, 1) on a plane: two patterns, mixed."""
    random = np.random.default_rng(seed)
    shares = random.uniform(20, 100, (count, 2))
    patterns = np.random.default_rng(99).random((2, 16, 16))
    return np.einsum("np,phw->nhw", shares, patterns)[..., None].round().astype(np.uint8)


def test_names_and_shapes():
    found = no_model.scores(image_set(lines(50, 0)), image_set(lines(7, 1)), seed=0)
    assert len(found) == 6 and {NEAREST, PCA, NEAREST + STANDARDISED, PCA + STANDARDISED} < found.keys()
    assert all(values.shape == (7,) and values.dtype == np.float32 and np.isfinite(values).all() for values in found.values())


def test_nearest_by_brute_force():
    train, test = lines(30, 0), lines(6, 1)
    found = no_model.scores(image_set(train), image_set(test), seed=0)[NEAREST]
    a, b = test.reshape(6, 1, -1) / 127.5, train.reshape(1, 30, -1) / 127.5
    np.testing.assert_allclose(found, ((a - b) ** 2).mean(-1).min(1), rtol=1e-3, atol=1e-7)


def test_what_lies_outside_the_components():
    """Mixtures of the training patterns lie in their span, another pattern does not."""
    test = np.concatenate([lines(5, 1), np.random.default_rng(3).integers(0, 256, (5, 16, 16, 1), np.uint8)])
    found = no_model.scores(image_set(lines(40, 0)), image_set(test), seed=0)
    assert found[PCA][:5].max() < 1e-3 < 0.1 < found[PCA][5:].min()
    assert found[NEAREST][:5].max() < found[NEAREST][5:].min()


def test_standardised_ignores_brightness_and_contrast():
    train = lines(40, 0)
    other = (train[:5] // 2 + 100).astype(np.uint8)
    found = no_model.scores(image_set(train), image_set(np.concatenate([train[:5], other])), seed=0)
    assert found[NEAREST][:5].max() < 1e-4 < found[NEAREST][5:].min()
    assert found[NEAREST + STANDARDISED][5:].max() < 0.01


def test_grey_mean_and_sharpness_err_both_ways():
    flat = np.full((9, 16, 16, 1), 100, np.uint8)
    flat += np.arange(9, dtype=np.uint8)[:, None, None, None]
    test = np.concatenate([flat[4:5], flat[:1] - 50, flat[:1] + 50, np.indices((16, 16)).sum(0)[None, ..., None] % 2 * 200])
    found = no_model.scores(image_set(flat), image_set(test.astype(np.uint8)), seed=0)
    grey, sharpness = (found[f"{name}, distance from the normals' median"] for name in ("grey mean", "sharpness"))
    assert grey[0] == pytest.approx(0, abs=1e-6) and grey[1] == pytest.approx(54 / 127.5, rel=1e-3)
    assert grey[2] == pytest.approx(46 / 127.5, rel=1e-3)
    assert sharpness[3] > 10 > sharpness[:3].max()


def test_at_most_so_many_training_images(monkeypatch):
    monkeypatch.setattr(no_model, "_MOST_IMAGES", 10)
    train = image_set(lines(40, 0))
    one, other = (no_model.scores(train, image_set(lines(5, 1)), seed)[NEAREST] for seed in (0, 1))
    assert not np.array_equal(one, other)
