"""Detectors of encoder and generator trained together: AE's and ALI's (AdvAE's is f-AnoGAN's)."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.ae import AutoencoderDetector
from fanogan_tf.methods.ali import PairDetector
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SPEC = NetworkSpec((8, 12, 1), dim=2, latent_dim=3, bound="linear")
IMAGES = np.random.default_rng(0).uniform(-1, 1, (7, 8, 12, 1)).astype(np.float32)


def make(kind, **settings):
    """With every variable at random, and calibrated."""
    networks = {name: make(SPEC) for name, make in kind.NETWORKS.items()}
    random = np.random.default_rng(1)
    for network in networks.values():
        for variable in tf_variables(network):
            variable.assign(random.uniform(0.1, 0.4, variable.shape) * random.choice([-1, 1], variable.shape))
            if "variance" in variable.name:
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return kind(SPEC, **networks, **settings, calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05))


@pytest.fixture(scope="module")
def autoencoder():
    return make(AutoencoderDetector)


@pytest.fixture(scope="module")
def pair():
    return make(PairDetector, kappa=0.7)


@pytest.fixture(params=["autoencoder", "pair"])
def detector(request):
    return request.getfixturevalue(request.param)


def mean_squares(difference):
    return np.array([np.mean(np.square(one)) for one in np.asarray(difference, np.float64)])


def common(detector):
    """What both measure, but for the score."""
    z = detector.encoder(IMAGES, training=False).numpy()
    restored = detector.generator(z, training=False).numpy()
    return {
        "image_residual": mean_squares(IMAGES - restored),
        "latent_distance": mean_squares(z - detector.encoder(restored, training=False).numpy()),
        "reconstruction": restored,
        "residual": np.abs(IMAGES - restored),
        "latent": z,
    }


def assert_close(one, other):
    assert one.keys() == other.keys()
    for name, value in other.items():
        assert one[name].shape == value.shape and np.std(value) > 0
        np.testing.assert_allclose(one[name], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=name)


def test_autoencoder_in_numpy(autoencoder):
    expected = common(autoencoder)
    assert_close(autoencoder.measure(IMAGES), expected | {"score": expected["image_residual"]})


def test_pair_in_numpy(pair):
    expected = common(pair)
    z, restored = expected["latent"], expected["reconstruction"]
    features = [pair.pair_discriminator(x, z)[1].numpy() for x in (IMAGES, restored)]
    expected["feature_residual"] = mean_squares(features[0] - features[1])
    assert_close(pair.measure(IMAGES), expected | {"score": expected["image_residual"] + 0.7 * expected["feature_residual"]})


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batch_size_and_order_change_nothing(detector, batch_size):
    order = np.array([3, 0, 6, 2, 5, 1, 4])
    parts = [detector.measure(IMAGES[order[i : i + batch_size]]) for i in range(0, 7, batch_size)]
    assert_close(
        {name: np.concatenate([p[name] for p in parts])[np.argsort(order)] for name in parts[0]}, detector.measure(IMAGES)
    )


def test_it_is_one_graph(detector):
    graph = tf.function(detector.measured).get_concrete_function(tf.TensorSpec((None, 8, 12, 1), tf.float32))
    assert not any(op.type in ("PyFunc", "EagerPyFunc") for op in graph.graph.get_operations())
    assert_close({name: value.numpy() for name, value in graph(tf.constant(IMAGES)).items()}, detector.measure(IMAGES))


def test_saved_and_loaded(detector, tmp_path):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is type(detector) and loaded.spec == SPEC
    assert [getattr(loaded, name) for name in loaded.SETTINGS] == [getattr(detector, name) for name in detector.SETTINGS]
    measured = loaded.measure(IMAGES)
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(measured[name], value, err_msg=name)
    assert loaded.calibration.threshold == detector.calibration.threshold


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_loaded_to_score_in_another_precision(detector, tmp_path, precision):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector", precision)
    assert loaded.spec == dataclasses.replace(SPEC, precision=precision)
    exact, low = detector.measure(IMAGES)["score"], loaded.measure(IMAGES)["score"]
    assert low.dtype == np.float32 and not np.array_equal(low, exact)
    np.testing.assert_allclose(low, exact, rtol=0.2)
