import numpy as np
import pytest

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.ganomaly import GanomalyDetector
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SPEC = NetworkSpec((16, 24, 1), dim=2, latent_dim=3)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (7, 16, 24, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def detector():
    """With every variable at random."""
    networks = {name: make(SPEC) for name, make in GanomalyDetector.NETWORKS.items()}
    random = np.random.default_rng(1)
    for network in networks.values():
        for variable in tf_variables(network):
            variable.assign(random.normal(0.0, 0.3, variable.shape))
            if "variance" in variable.name or "gamma" in variable.name:
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return GanomalyDetector(SPEC, calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05), **networks)


def means(values):
    return values.reshape(len(values), -1).mean(1)


def test_in_numpy(detector):
    measured = detector.measure(IMAGES)
    z = detector.first_encoder(IMAGES, training=False).numpy()
    restored = detector.decoder(z, training=False).numpy()
    difference = z - detector.second_encoder(restored, training=False).numpy()
    expected = {
        "score": np.sqrt(np.sum(np.square(difference), axis=1)),
        "image_residual": means(np.square(IMAGES - restored)),
        "latent_distance": means(np.square(difference)),
        "reconstruction": restored,
        "residual": np.abs(IMAGES - restored),
        "latent": z,
    }
    assert measured.keys() == expected.keys()
    for name, value in expected.items():
        assert measured[name].shape == value.shape and np.std(value) > 0
        np.testing.assert_allclose(measured[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(measured["score"], np.sqrt(3 * measured["latent_distance"]), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_neighbours_and_batch_size_change_nothing(detector, batch_size):
    parts = [detector.measure(IMAGES[i : i + batch_size]) for i in range(0, 7, batch_size)]
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_saved_and_loaded(detector, tmp_path):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is GanomalyDetector and not loaded.can_generate and loaded.RESTORES
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(loaded.measure(IMAGES)[name], value, err_msg=name)
    low = methods.load_detector(tmp_path / "detector", "bfloat16").measure(IMAGES)["reconstruction"]
    assert low.dtype == np.float32 and 0 < np.abs(low - loaded.measure(IMAGES)["reconstruction"]).max() < 0.2
