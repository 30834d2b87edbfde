import json

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import SETTINGS_FILE
from fanogan_tf.detection.latent_search import nearest_start, random_start
from fanogan_tf.methods.iterative import IterativeDetector, WarmIterativeDetector
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SPEC = NetworkSpec((8, 12, 1), dim=2, latent_dim=3, bound="tanh_3")
CHOICES = {"clipping": "projected", "start_from": "nearest"}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (7, 8, 12, 1)).astype(np.float32)


def made(kind, **settings):
    """With every variable at random."""
    networks = {name: make(SPEC) for name, make in kind.NETWORKS.items()}
    random = np.random.default_rng(1)
    for name in sorted(networks, reverse=True):
        for variable in tf_variables(networks[name]):
            variable.assign(random.uniform(0.1, 0.4, variable.shape) * random.choice([-1, 1], variable.shape))
            if "variance" in variable.name:
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
    settings = {"kappa": 0.7, "steps": 20, "learning_rate": 0.05, "patience": 0, "seed": 4} | CHOICES | settings
    return kind(SPEC, **networks, **settings, calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05))


@pytest.fixture(scope="module", params=[IterativeDetector, WarmIterativeDetector], ids=lambda kind: kind.KIND)
def detector(request):
    return made(request.param)


def mean_squares(difference):
    return np.array([np.mean(np.square(one)) for one in np.asarray(difference, np.float64)])


def close(one, other, rtol=1e-3):
    assert one.keys() == other.keys()
    for name in other:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=rtol * np.abs(other[name]).max(), err_msg=name)


def expected_of(detector, z):
    restored = detector.generator(z, training=False).numpy()
    image = mean_squares(IMAGES - restored)
    feature = mean_squares(detector.critic(IMAGES)[1].numpy() - detector.critic(restored)[1].numpy())
    return {
        "score": image + 0.7 * feature,
        "image_residual": image,
        "feature_residual": feature,
        "reconstruction": restored,
        "residual": np.abs(IMAGES - restored),
        "latent": z,
    }


def test_measures_what_its_z_is_worth(detector):
    measured = detector.measure(IMAGES)
    assert np.abs(measured["latent"]).max() <= 1 and np.std(measured["latent"], axis=0).min() > 0
    close(measured, expected_of(detector, measured["latent"]), rtol=1e-4)


def test_without_steps_it_is_the_start():
    cold = made(IterativeDetector, steps=0, start_from="random")
    close(cold.measure(IMAGES), expected_of(cold, random_start(7, 3, seed=4).numpy()))
    nearest = made(IterativeDetector, steps=0)
    close(nearest.measure(IMAGES), expected_of(nearest, nearest_start(nearest.generator, IMAGES, 3, "normal", 4).numpy()))
    warm = made(WarmIterativeDetector, steps=0)
    guess = warm.encoder(IMAGES, training=False).numpy()
    assert np.abs(guess).max() > 1
    close(warm.measure(IMAGES), expected_of(warm, np.clip(guess, -1, 1)))


def test_steps_lower_the_score(detector):
    # From far: of so few coordinates, the nearest of 512 samples is next to the end.
    start, between, more = (
        made(type(detector), steps=steps, start_from="random").measure(IMAGES)["score"] for steps in (0, 20, 40)
    )
    assert np.all(more <= between + 1e-6) and np.all(between <= start + 1e-6)
    assert np.mean(more) < 0.98 * np.mean(start)


def test_it_is_the_score_that_is_minimised():
    """Another kappa, another z."""
    plain, guided = (made(IterativeDetector, steps=40, kappa=kappa).measure(IMAGES) for kappa in (0.0, 5.0))
    np.testing.assert_allclose(plain["score"], plain["image_residual"])
    assert np.mean(plain["image_residual"]) < np.mean(guided["image_residual"])
    assert np.mean(guided["feature_residual"]) < np.mean(plain["feature_residual"])


def test_batch_order_and_neighbours_change_nothing(detector):
    together = detector.measure(IMAGES)
    parts = [detector.measure(IMAGES[i : i + 3]) for i in range(0, 7, 3)]
    close({name: np.concatenate([part[name] for part in parts]) for name in together}, together)
    order = np.array([3, 0, 6, 2, 5, 1, 4])
    close({name: value[np.argsort(order)] for name, value in detector.measure(IMAGES[order]).items()}, together)
    with_white = detector.measure(np.concatenate([IMAGES[:1], np.ones((6, 8, 12, 1), np.float32)]))
    close({name: value[:1] for name, value in with_white.items()}, {name: value[:1] for name, value in together.items()})


def test_networks_are_unchanged_and_scores_no_dice_roll(detector):
    networks = [getattr(detector, name) for name in detector.NETWORKS]
    before = [variable.numpy() for network in networks for variable in tf_variables(network)]
    first = detector.measure(IMAGES)
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(value, first[name])
    after = [variable.numpy() for network in networks for variable in tf_variables(network)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_saved_and_loaded(detector, tmp_path):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    assert type(loaded) is type(detector) and loaded.spec == SPEC
    assert [getattr(loaded, name) for name in loaded.SETTINGS] == [0.7, 20, 0.05, 0, 4, "projected", "nearest"]
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(loaded.measure(IMAGES)[name], value, err_msg=name)


def test_of_an_earlier_version(tmp_path):
    """Which had the papers' search alone, and did not say so."""
    papers = made(IterativeDetector, clipping="stochastic", start_from="random")
    papers.save(tmp_path / "detector")
    file = tmp_path / "detector" / SETTINGS_FILE
    settings = json.loads(file.read_text())
    for name in CHOICES:
        del settings["settings"][name]
    file.write_text(json.dumps(settings))
    np.testing.assert_array_equal(
        methods.load_detector(tmp_path / "detector").measure(IMAGES)["score"], papers.measure(IMAGES)["score"]
    )


def test_as_a_saved_model(detector, tmp_path):
    """The whole search is in the graph."""
    module = tf.Module()
    module.variables_in_use = [v for name in detector.NETWORKS for v in tf_variables(getattr(detector, name))]
    module.measure = tf.function(detector.measured, input_signature=[tf.TensorSpec((None, 8, 12, 1), tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "model"))
    exported = tf.saved_model.load(str(tmp_path / "model"))
    close({name: value.numpy() for name, value in exported.measure(IMAGES[:4]).items()}, detector.measure(IMAGES[:4]))
