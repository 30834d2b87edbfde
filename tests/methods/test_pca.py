import numpy as np
import pytest
from sklearn.decomposition import PCA

from fanogan_tf.methods.pca import principal_components


def rows_of(variances, count=4000, seed=0):
    """Independent columns of these variances, turned into each other, around 3."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, len(variances))) * np.sqrt(variances)
    turn, _ = np.linalg.qr(random.normal(size=(len(variances),) * 2))
    return (rows @ turn + 3.0).astype(np.float32)


@pytest.mark.parametrize(
    ("variances", "most", "kept"),
    [
        ([90, 4, 3, 2, 1], 5, 3),  # .90, .94, .97
        ([97, 1, 1, 1], 4, 1),
        ([1, 1, 1, 1], 4, 4),  # All are needed.
        ([90, 4, 3, 2, 1], 2, 2),  # Capped.
        ([90, 4, 3, 2, 1], 1, 1),
    ],
)
def test_as_many_as_hold_most_of_the_variance(variances, most, kept):
    found = principal_components(rows_of(variances), most, seed=0)
    assert found["components"].shape == (kept, len(variances)) and found["mean"].shape == (len(variances),)
    np.testing.assert_allclose(found["mean"], 3.0, atol=0.6)


def test_they_are_scikit_learns():
    rows = rows_of([50, 30, 10, 6, 4])
    found, whole = principal_components(rows, 5, seed=0), PCA(5).fit(rows)
    np.testing.assert_allclose(found["components"], whole.components_[:4], atol=1e-4)
    np.testing.assert_allclose(found["components"] @ found["components"].T, np.eye(4), atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 10), (2, 4)])
def test_fewer_images_than_components(shape):
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = principal_components(rows, 128, seed=0)["components"]
    assert found.shape == (shape[0] - 1, shape[1])  # That is all that n images vary in.


def test_images_all_alike():
    found = principal_components(np.ones((5, 4), np.float32), 3, seed=0)
    assert np.isfinite(found["components"]).all() and len(found["components"]) >= 1


def test_large_ones_are_of_the_seed():
    """More than 1,000 columns and 500 rows: the randomised solver."""
    rows = np.random.default_rng(0).normal(size=(510, 1010)).astype(np.float32)
    one, again = (principal_components(rows, 5, seed=3)["components"] for _ in range(2))
    np.testing.assert_array_equal(one, again)
