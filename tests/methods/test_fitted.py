import numpy as np
import pytest

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.methods.fitted import fitted, fitted_seconds, flat_images


def image_set(count):
    """4x6 images; the value of the first pixel tells which one it is, the last pixel of the first line is 255."""
    images = np.zeros((count, 4, 6, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    images[:, 0, 5, 0] = 255
    names = np.array([str(i) for i in range(count)])
    return ImageSet(images, np.zeros(count, int), names, names)


def test_all_images():
    rows = flat_images(image_set(5), most=9, seed=0)
    assert rows.shape == (5, 24) and rows.dtype == np.float32
    np.testing.assert_allclose(rows, image_set(5).float_images(range(5)).reshape(5, 24))


def test_some_images():
    def which(seed):
        return np.round((flat_images(image_set(200), most=50, seed=seed)[:, 0] + 1) * 127.5).astype(int)

    one, again, other = which(0), which(0), which(1)
    assert len(set(one)) == 50  # None twice.
    np.testing.assert_array_equal(one, again)
    assert len(set(one) & set(other)) < 30 and 60 < one.mean() < 140


def test_flipped():
    plain, flipped = (flat_images(image_set(200), 200, 0, flip).reshape(200, 4, 6) for flip in (False, True))
    mirrored = flipped[:, 0, 0] == 1.0
    assert 0.35 < mirrored.mean() < 0.65
    np.testing.assert_array_equal(flipped[mirrored], plain[mirrored][:, :, ::-1])
    np.testing.assert_array_equal(flipped[~mirrored], plain[~mirrored])


def test_fitted_once(tmp_path):
    calls = []

    def fit():
        calls.append(1)
        return {"mean": np.arange(3.0), "gamma": np.array(0.5)}

    assert fitted_seconds(tmp_path / "fit") == 0.0
    for _ in range(2):
        arrays = fitted(tmp_path / "fit", fit)
        assert arrays.keys() == {"mean", "gamma"} and arrays["gamma"] == 0.5
        np.testing.assert_array_equal(arrays["mean"], [0.0, 1.0, 2.0])
    assert len(calls) == 1 and 0.0 < fitted_seconds(tmp_path / "fit") < 60.0


def test_nothing_kept_of_a_fit_that_fails(tmp_path):
    def fit():
        raise MemoryError

    with pytest.raises(MemoryError):
        fitted(tmp_path, fit)
    assert list(tmp_path.iterdir()) == [] and fitted_seconds(tmp_path) == 0.0
