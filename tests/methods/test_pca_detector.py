import io

import numpy as np
import pytest
from sklearn.decomposition import PCA

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.pca import PcaDetector, principal_components
from fanogan_tf.networks.spec import NetworkSpec

SHAPE = (5, 7, 1)  # Of no size that networks need.
SPEC = NetworkSpec(SHAPE, dim=2, latent_dim=4)


def images_of(count, seed):
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(9).normal(size=(6, *SHAPE))
    return np.tanh(np.tensordot(random.normal(size=(count, 6)), patterns, 1)).astype(np.float32)


TRAIN, IMAGES = images_of(60, 0), images_of(7, 1)


@pytest.fixture(scope="module")
def detector():
    arrays = principal_components(TRAIN.reshape(60, -1), 4, seed=0)
    return PcaDetector(SPEC, calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05), **arrays)


def test_restores_as_scikit_learn_does(detector):
    pca = PCA(4).fit(TRAIN.reshape(60, -1))
    expected = pca.inverse_transform(pca.transform(IMAGES.reshape(7, -1))).reshape(IMAGES.shape)
    assert np.abs(expected).max() > 1.0  # Or nothing would have to be cut off.
    shown = np.clip(expected, -1.0, 1.0)
    measured = detector.measure(IMAGES)
    assert measured.keys() == {"score", "image_residual", "reconstruction", "residual"}
    np.testing.assert_allclose(measured["score"], np.square(IMAGES - expected).mean((1, 2, 3)), rtol=1e-4)
    np.testing.assert_array_equal(measured["image_residual"], measured["score"])
    np.testing.assert_allclose(measured["reconstruction"], shown, atol=1e-5)
    np.testing.assert_allclose(measured["residual"], np.abs(IMAGES - shown), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_neighbours_and_batch_size_change_nothing(detector, batch_size):
    parts = [detector.measure(IMAGES[i : i + batch_size]) for i in range(0, 7, batch_size)]
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_saved_and_loaded(detector, tmp_path):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is PcaDetector and loaded.spec == SPEC and loaded.RESTORES and not loaded.can_generate
    assert loaded.calibration.threshold == detector.calibration.threshold
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(loaded.measure(IMAGES)[name], value, err_msg=name)
    assert [path.name for path in tmp_path.iterdir()] == ["detector"]


def test_precision_changes_nothing(detector, tmp_path):
    detector.save(tmp_path)
    np.testing.assert_array_equal(
        methods.load_detector(tmp_path, "bfloat16").measure(IMAGES)["score"], detector.measure(IMAGES)["score"]
    )


def test_pickled_arrays_are_refused(detector, tmp_path):
    detector.save(tmp_path)
    arrays = dict(np.load(tmp_path / "arrays.npz", allow_pickle=False))
    assert arrays.keys() == {"mean", "components"}
    np.savez(tmp_path / "arrays.npz", mean=np.array([io.StringIO], object), components=arrays["components"])
    with pytest.raises(ValueError, match="allow_pickle"):
        methods.load_detector(tmp_path)


def test_parts_by_their_names(detector):
    with pytest.raises(TypeError, match="pca: needs mean, components, not mean"):
        PcaDetector(SPEC, mean=detector.mean)
