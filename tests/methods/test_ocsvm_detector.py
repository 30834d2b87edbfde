import numpy as np
import pytest
from sklearn.svm import OneClassSVM

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.ocsvm import OcsvmDetector, one_class_svm, squared_distances
from fanogan_tf.networks.spec import NetworkSpec


def images_of(shape, count, seed):
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(9).normal(size=(6, *shape))
    return np.tanh(np.tensordot(random.normal(size=(count, 6)), patterns, 1)).astype(np.float32)


def coordinates(rows, fit):
    """In float32, as they are fitted."""
    return (rows - fit["mean"].astype(np.float32)) @ fit["components"].astype(np.float32).T


def detector_of(fit, shape):
    parts = {name: float(fit[name]) if name in OcsvmDetector.SETTINGS else fit[name] for name in fit}
    return OcsvmDetector(
        NetworkSpec(shape, dim=2, latent_dim=4), calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05), **parts
    )


@pytest.fixture(scope="module", params=[(7, 9, 1), (33, 32, 1)], ids=["small", "large"])
def case(request):
    """Of pixels, and of more than 1,024 of them: a detector, images, and what scikit-learn says of these."""
    shape = request.param
    rows, images = images_of(shape, 600, 0).reshape(600, -1), images_of(shape, 7, 1) * np.linspace(0.2, 1, 7)[:, None, None, None]
    images = images.astype(np.float32)
    fit = one_class_svm(rows, most_components=4, seed=0)
    flat = images.reshape(7, -1).astype(np.float64)
    if shape[0] == 33:
        rows = coordinates(rows, fit)
        flat = (flat - fit["mean"]) @ fit["components"].T
    svm = OneClassSVM(kernel="rbf", gamma=float(fit["gamma"]), nu=0.05).fit(rows)
    return detector_of(fit, shape), images, svm.decision_function(flat)


def test_decides_as_scikit_learn_does(case):
    detector, images, decision = case
    assert len(detector.support_vectors) > 10 and np.std(decision) > 0.1
    measured = detector.measure(images)
    assert measured.keys() == {"score"} and measured["score"].dtype == np.float32
    np.testing.assert_allclose(measured["score"], -decision, rtol=1e-5, atol=1e-5)


def test_neighbours_and_batch_size_change_nothing(case):
    detector, images, _ = case
    parts = [detector.measure(images[i : i + 3])["score"] for i in range(0, 7, 3)]
    np.testing.assert_allclose(np.concatenate(parts), detector.measure(images)["score"], rtol=1e-6, atol=1e-6)


def test_saved_and_loaded(case, tmp_path):
    detector, images, _ = case
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is OcsvmDetector and not loaded.RESTORES and not loaded.can_generate
    np.testing.assert_array_equal(loaded.measure(images)["score"], detector.measure(images)["score"])
    with np.load(tmp_path / "detector" / "arrays.npz", allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype for name in arrays} == dict.fromkeys(OcsvmDetector.ARRAYS, np.float64)


def test_squared_distances():
    random = np.random.default_rng(0)
    rows, others = random.normal(size=(5, 3)), random.normal(size=(4, 3))
    others[2] = rows[1]
    expected = np.square(rows[:, None] - others).sum(-1)
    found = squared_distances(rows, others).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.min() >= 0
