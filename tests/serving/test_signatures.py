"""Every kind of detector, exported and loaded again: the same figures on all of a test set."""

import numpy as np
import pytest

from fanogan_tf.methods import detector_kinds
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export
from tests.helpers import served_models as made

pytestmark = pytest.mark.slow

ENCODE = {"encoder", "iterative_from_encoder", "autoencoder", "pair", "ganomaly", "roi_ganomaly"}
GENERATE = {"encoder", "iterative", "iterative_from_encoder", "anogan", "anogan_gan_r", "autoencoder", "pair"}


@pytest.mark.parametrize("kind", detector_kinds())
def test_same_figures_as_the_detector(kind, tmp_path):
    detector = made.detector(kind)
    served = saved_model.load(export(detector, tmp_path))
    test = made.test_set()
    expected, found = detector.judge(test.float_images(np.arange(len(test)))), served(test.images)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert len(values) == len(test)
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=0 if values.ndim == 1 else 1e-6, err_msg=name)
    assert len(np.unique(found["score"])) > len(test) / 2 and 0 < found["anomalous"].mean() < 1
    assert ("encode" in served.inputs, "generate" in served.inputs) == (kind in ENCODE, kind in GENERATE)
    assert {name: len(values) for name, values in served(test.images[:0]).items()} == dict.fromkeys(found, 0)


def test_images_of_16_bits(detector, served):
    stored = np.random.default_rng(0).integers(0, 65536, (9, *made.SHAPE)).astype(np.uint16)
    expected = detector.measure(stored.astype(np.float32) / np.float32(32767.5) - np.float32(1))
    np.testing.assert_array_equal(served(stored / np.float32(257))["score"], expected["score"])


def test_at_another_rate(detector, served):
    """At the calibrated rate what the model says by itself; at others what their thresholds say."""
    images = made.test_set().images[:200].astype(np.float32)
    said = served(images)
    for rate in (0.05, 0.3, 0.9):
        asked = served.run("serving_rate", image=images, false_positive_rate=np.full(200, rate, np.float32))
        np.testing.assert_array_equal(asked["anomalous"], said["probability"] > np.float32(1) - np.float32(rate))
        np.testing.assert_array_equal(asked["score"], said["score"])
        if rate == 0.05:
            np.testing.assert_array_equal(asked["anomalous"], said["anomalous"])
    assert 0 < said["anomalous"].sum() < asked["anomalous"].sum() < 200


def test_encode_and_generate(detector, served):
    images = made.test_set().images[:5].astype(np.float32)
    latent = served.run("encode", image=images)["latent"]
    expected = served(images)
    np.testing.assert_allclose(latent, expected["latent"], rtol=1e-5)
    generated = served.run("generate", latent=latent)["generated"]
    np.testing.assert_allclose(generated, expected["reconstruction"], atol=1e-6)
    assert served.run("encode", image=images[:0])["latent"].shape == (0, 3)
    assert served.run("generate", latent=latent[:0])["generated"].shape == (0, *made.SHAPE)
