import json
import math

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf import methods
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection import latent_search
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.latent_search import Mapped, random_start
from fanogan_tf.detection.scoring import score_rows
from fanogan_tf.methods import anogan
from fanogan_tf.methods.anogan import AnoganDetector, DiscriminatorDetector, GanRDetector
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SPEC = NetworkSpec((16, 24, 1), dim=2, latent_dim=3, network="dcgan")
IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, 16, 24, 1)).astype(np.float32)
CALIBRATION = calibrate(np.arange(1.0, 20.0), "quantile", 0.05)
MAPPING = {"steps": 4, "learning_rate": 0.05, "patience": 0, "seed": 1, "clipping": "stochastic", "start_from": "random"}


@pytest.fixture(scope="module")
def networks():
    """With every variable at random: no batch normalisation that does nothing, logits that are not near 0."""
    networks, random = {"generator": SPEC.generator(), "critic": SPEC.critic()}, np.random.default_rng(1)
    for network in networks.values():
        for variable in tf_variables(network):
            variable.assign(random.uniform(0.05, 0.2, variable.shape) * random.choice([-1, 1], variable.shape))
            if "variance" in variable.name or "gamma" in variable.name:
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return networks


def detector(networks, kind=AnoganDetector, **settings):
    return kind(SPEC, calibration=CALIBRATION, **networks, **({"anogan_lambda": 0.1} | MAPPING | settings))


def sums(one, other):
    return np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).reshape(len(one), -1).sum(1)


def test_in_numpy(networks):
    """Sums, not means: of 384 pixels and 6 x 4 x 4 features."""
    measured = detector(networks).measure(IMAGES)
    restored = networks["generator"](measured["latent"], training=False).numpy()
    residual = sums(IMAGES, restored)
    discrimination = sums(networks["critic"](IMAGES)[1], networks["critic"](restored)[1])
    expected = {
        "score": 0.9 * residual + 0.1 * discrimination,
        "image_residual": residual,
        "feature_residual": discrimination,
        "reconstruction": restored,
        "residual": np.abs(IMAGES - restored),
        "latent": measured["latent"],
    }
    assert measured.keys() == expected.keys()
    for name, value in expected.items():
        assert measured[name].shape == value.shape and np.std(value) > 0
        np.testing.assert_allclose(measured[name], value, rtol=1e-3, atol=1e-4 * np.abs(value).max(), err_msg=name)
    assert np.abs(measured["latent"]).max() <= 1.0


def test_gan_r_in_numpy(networks):
    measured = detector(networks, GanRDetector, anogan_lambda=0.4).measure(IMAGES)
    restored = networks["generator"](measured["latent"], training=False).numpy()
    probability = 1.0 / (1.0 + np.exp(-networks["critic"](restored)[0].numpy().astype(np.float64)))
    assert measured.keys() == {"score", "image_residual", "reconstruction", "residual", "latent"}
    np.testing.assert_allclose(measured["score"], 0.6 * sums(IMAGES, restored) - 0.4 * np.log(probability), rtol=1e-4)


def test_p_d_in_numpy(networks):
    """No generator, hence no mapping."""
    p_d = DiscriminatorDetector(SPEC, calibration=CALIBRATION, critic=networks["critic"])
    measured = p_d.measure(IMAGES)
    probability = 1.0 / (1.0 + np.exp(-networks["critic"](IMAGES)[0].numpy().astype(np.float64)))
    assert measured.keys() == {"score"} and np.std(probability) > 1e-3
    np.testing.assert_allclose(measured["score"], -np.log(probability), rtol=1e-4)
    # In the order of 1 - D(x).
    np.testing.assert_array_equal(np.argsort(measured["score"]), np.argsort(1.0 - probability))
    assert not p_d.can_generate and not p_d.RESTORES


class Changed:
    """A critic with something added to its logits or features."""

    def __init__(self, critic, logits=0.0, features=0.0):
        self.critic, self.logits, self.features = critic, logits, features

    def __call__(self, images):
        return self.hidden(images)[:2]

    def hidden(self, images):
        logits, features, maps = self.critic.hidden(images)
        return logits + self.logits * tf.reduce_mean(images), features * (1.0 + self.features), maps


@pytest.mark.parametrize(("kind", "matters"), [(AnoganDetector, "features"), (GanRDetector, "logits")])
def test_one_compares_features_the_other_ignores_them(networks, kind, matters):
    ignored = {"features": "logits", "logits": "features"}[matters]
    plain = detector(networks, kind).measure(IMAGES)["score"]
    for name, same in ((matters, False), (ignored, True)):
        changed = networks | {"critic": Changed(networks["critic"], **{name: 5.0})}
        assert np.array_equal(detector(changed, kind).measure(IMAGES)["score"], plain) == same


@pytest.mark.parametrize("kind", [AnoganDetector, GanRDetector])
def test_the_mapping_minimises_the_score(networks, kind, monkeypatch):
    asked = {}

    def remember(generator, loss, z0, **settings):
        asked.update(settings, generator=generator, z0=z0, losses=loss(generator(z0, training=False)))
        return Mapped(z0, asked["losses"], tf.zeros_like(z0[:, 0], tf.int32))

    monkeypatch.setattr(latent_search, "map_to_latent", remember)
    made = detector(networks, kind, steps=500, learning_rate=0.3, patience=7, seed=9)
    measured = made.measured(tf.constant(IMAGES))
    np.testing.assert_array_equal(asked.pop("z0"), random_start(5, 3, 9))
    np.testing.assert_allclose(asked.pop("losses") * 16 * 24, measured["score"], rtol=1e-5)
    assert asked.pop("generator") is networks["generator"]
    assert asked == {"steps": 500, "learning_rate": 0.3, "patience": 7, "seed": 9, "clipping": "stochastic"}


@pytest.mark.parametrize("kind", [AnoganDetector, GanRDetector])
def test_the_mapping_lowers_the_score(networks, kind):
    """And comes near images that the generator can make."""
    first = detector(networks, kind, steps=0).measure(IMAGES)["score"]
    later = detector(networks, kind, steps=40).measure(IMAGES)["score"]
    assert np.all(later < first)
    z = tf.random.stateless_uniform((4, 3), (1, 2), -0.9, 0.9)
    made = networks["generator"](z, training=False).numpy()
    far, near = (detector(networks, kind, steps=steps).measure(made)["image_residual"] for steps in (0, 150))
    assert np.mean(near) < 0.2 * np.mean(far)


def test_lambda(networks):
    """0: pixels alone, 1: features alone; the mapping follows."""
    pixels, features = (detector(networks, anogan_lambda=weight, steps=30).measure(IMAGES) for weight in (0.0, 1.0))
    np.testing.assert_array_equal(pixels["score"], pixels["image_residual"])
    np.testing.assert_array_equal(features["score"], features["feature_residual"])
    assert pixels["image_residual"].mean() < features["image_residual"].mean()
    assert features["feature_residual"].mean() < pixels["feature_residual"].mean()


@pytest.mark.parametrize("kind", [AnoganDetector, GanRDetector])
def test_neighbours_and_batch_size_change_nothing(networks, kind):
    made = detector(networks, kind, steps=20)
    together = made.measure(IMAGES)
    for part in (slice(0, 1), slice(1, 3), slice(3, 5)):
        for name, value in made.measure(IMAGES[part]).items():
            np.testing.assert_allclose(value, together[name][part], rtol=1e-3, atol=1e-3, err_msg=name)


def test_networks_stay_as_they_are(networks):
    before = [v.copy() for network in networks.values() for v in network.get_weights()]
    detector(networks).measure(IMAGES)
    for one, other in zip(before, [v for network in networks.values() for v in network.get_weights()], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [AnoganDetector, GanRDetector, DiscriminatorDetector])
def test_saved_and_loaded(networks, kind, tmp_path):
    if kind is DiscriminatorDetector:
        made = kind(SPEC, calibration=CALIBRATION, critic=networks["critic"])
    else:
        made = detector(networks, kind, anogan_lambda=0.3)
    made.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is kind and loaded.spec == SPEC
    assert json.loads((tmp_path / "detector" / "detector.json").read_text())["networks"]["network"] == "dcgan"
    for name, value in made.measure(IMAGES).items():
        np.testing.assert_array_equal(loaded.measure(IMAGES)[name], value, err_msg=name)


def test_p_d_in_the_table(networks):
    made = DiscriminatorDetector(SPEC, calibration=CALIBRATION, critic=networks["critic"])
    grey, names = np.zeros((3, 16, 24, 1), np.uint8), np.array(["a", "b", "c"])
    rows = list(score_rows(made, ImageSet(grey, np.zeros(3, np.int64), names, names), batch_size=2))
    assert len(rows) == 3 and all(math.isnan(row[name]) for row in rows for name in ("image_residual", "feature_residual"))


def test_sum_of_differences_by_hand():
    one, other = tf.constant([[[1.0, -2.0]], [[0.0, 0.5]]]), tf.zeros((2, 1, 2))
    np.testing.assert_allclose(anogan.sum_of_differences(one, other), [3.0, 0.5])
    np.testing.assert_allclose(anogan.weighted(tf.constant([10.0]), tf.constant([100.0]), 0.1), [19.0], rtol=1e-6)
