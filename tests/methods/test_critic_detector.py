import numpy as np
import pytest

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.critic import CriticDetector
from fanogan_tf.networks.spec import NetworkSpec

SPEC = NetworkSpec((8, 8, 1), dim=2, latent_dim=3)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (7, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def detector():
    critic = SPEC.critic()
    critic.dense.bias.assign([0.4])
    return CriticDetector(SPEC, critic=critic, mean=0.25, calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05))


def test_by_its_formula(detector):
    measured = detector.measure(IMAGES)
    features = detector.critic(IMAGES)[1].numpy().astype(np.float64)
    kernel, bias = (np.asarray(weights, np.float64) for weights in detector.critic.dense.get_weights())
    assert measured.keys() == {"score"} and measured["score"].shape == (7,) and np.std(measured["score"]) > 0
    np.testing.assert_allclose(measured["score"], 0.25 - (features @ kernel[:, 0] + bias), rtol=1e-4, atol=1e-6)


def test_batch_size_changes_nothing(detector):
    parts = [detector.measure(IMAGES[i : i + 3])["score"] for i in range(0, 7, 3)]
    np.testing.assert_allclose(np.concatenate(parts), detector.measure(IMAGES)["score"], rtol=1e-5, atol=1e-6)


def test_saved_and_loaded(detector, tmp_path):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is CriticDetector and loaded.mean == 0.25
    assert not loaded.RESTORES and not loaded.can_generate
    np.testing.assert_array_equal(loaded.measure(IMAGES)["score"], detector.measure(IMAGES)["score"])
