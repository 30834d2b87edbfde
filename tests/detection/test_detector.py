import json

import numpy as np
import pytest

from fanogan_tf import methods
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.members import MembersDetector
from fanogan_tf.errors import UserError
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SPEC = NetworkSpec((8, 12, 1), dim=2, latent_dim=3, bound="tanh_3")
IMAGES = np.random.default_rng(0).uniform(-1, 1, (7, 8, 12, 1)).astype(np.float32)
PER_IMAGE = ("score", "image_residual", "feature_residual", "latent_distance")


def networks_of(detector):
    return detector.encoder, detector.generator, detector.critic


@pytest.fixture(scope="module")
def detector():
    """With every variable at random, and generator and critic frozen as the encoder's training leaves them."""
    detector = EncoderDetector(
        SPEC,
        encoder=SPEC.encoder(),
        generator=SPEC.generator(),
        critic=SPEC.critic(),
        kappa=0.7,
        calibration=calibrate(np.arange(1.0, 20.0), "quantile", 0.05),
    )
    random = np.random.default_rng(1)
    for network in networks_of(detector):
        for variable in tf_variables(network):
            variable.assign(random.uniform(0.1, 0.4, variable.shape) * random.choice([-1, 1], variable.shape))
            if "variance" in variable.name:
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
    detector.generator.trainable = False
    detector.critic.trainable = False
    return detector


def mean_squares(difference):
    return np.array([np.mean(np.square(one)) for one in np.asarray(difference, np.float64)])


def test_in_numpy(detector):
    measured = detector.measure(IMAGES)
    z = detector.encoder(IMAGES, training=False).numpy()
    restored = detector.generator(z, training=False).numpy()
    image = mean_squares(IMAGES - restored)
    feature = mean_squares(detector.critic(IMAGES)[1].numpy() - detector.critic(restored)[1].numpy())
    expected = {
        "score": image + 0.7 * feature,
        "image_residual": image,
        "feature_residual": feature,
        "latent_distance": mean_squares(z - detector.encoder(restored, training=False).numpy()),
        "reconstruction": restored,
        "residual": np.abs(IMAGES - restored),
        "latent": z,
    }
    assert measured.keys() == expected.keys()
    for name, value in expected.items():
        assert measured[name].shape == value.shape and np.std(value) > 0
        np.testing.assert_allclose(measured[name], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=name)


def close(one, other):
    for name in other:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-5 * np.abs(other[name]).max(), err_msg=name)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
def test_batch_size_changes_nothing(detector, batch_size):
    """The last batch is smaller; it counts like the others."""
    parts = [detector.measure(IMAGES[i : i + batch_size]) for i in range(0, 7, batch_size)]
    close({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, detector.measure(IMAGES))


def test_order_changes_nothing(detector):
    order = np.array([3, 0, 6, 2, 5, 1, 4])
    close({name: value[np.argsort(order)] for name, value in detector.measure(IMAGES[order]).items()}, detector.measure(IMAGES))


def test_neighbours_change_nothing(detector):
    with_white = detector.measure(np.concatenate([IMAGES[:1], np.ones((6, 8, 12, 1), np.float32)]))
    close({name: value[:1] for name, value in with_white.items()}, detector.measure(IMAGES[:1]))


def test_measuring_twice_changes_nothing(detector):
    first = detector.measure(IMAGES)
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(value, first[name])


def test_stochastic_clip_scores_are_no_dice_roll():
    spec = NetworkSpec((8, 8, 1), dim=2, latent_dim=3, bound="stochastic_clip")
    detector = EncoderDetector(spec, encoder=spec.encoder(), generator=spec.generator(), critic=spec.critic(), kappa=1.0)
    detector.encoder.dense.bias.assign([9.0, -9.0, 0.0])
    first, second = (detector.measure(IMAGES[:, :, :8]) for _ in range(2))
    np.testing.assert_array_equal(first["score"], second["score"])
    np.testing.assert_array_equal(first["latent"][:, :2], np.tile([1.0, -1.0], (7, 1)))


def test_generate(detector):
    z = np.random.default_rng(2).normal(size=(5, 3))
    np.testing.assert_allclose(detector.generate(z), detector.generator(z.astype(np.float32)), rtol=1e-4, atol=1e-5)
    assert detector.latent_dim == 3


def test_saved_and_loaded(detector, tmp_path):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector")
    for network, other in zip(networks_of(detector), networks_of(loaded), strict=True):
        for one, same in zip(tf_variables(network), tf_variables(other), strict=True):
            np.testing.assert_array_equal(one, same)
    for name, value in detector.measure(IMAGES).items():
        np.testing.assert_array_equal(loaded.measure(IMAGES)[name], value, err_msg=name)
    scores = np.linspace(-5, 40, 50)
    np.testing.assert_array_equal(loaded.calibration.probability(scores), detector.calibration.probability(scores))
    assert loaded.calibration.threshold == 19.0
    assert loaded.spec == SPEC and loaded.kappa == 0.7


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_loaded_to_score_in_another_precision(detector, tmp_path, precision):
    detector.save(tmp_path / "detector")
    loaded = methods.load_detector(tmp_path / "detector", precision)
    assert loaded.encoder.compute_dtype == precision
    for name in ("image_residual", "feature_residual"):
        exact, low = detector.measure(IMAGES)[name], loaded.measure(IMAGES)[name]
        assert low.dtype == np.float32 and not np.array_equal(low, exact)
        np.testing.assert_allclose(low, exact, rtol=0.1, err_msg=name)
    assert methods.load_detector(tmp_path / "detector").encoder.compute_dtype == "float32"


def test_saved_over_an_old_one(detector, tmp_path):
    folder = tmp_path / "detector"
    folder.mkdir()
    (folder / "old").touch()
    detector.save(folder)
    assert not (folder / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["detector"]


def test_half_saved_is_not_saved(detector, tmp_path, monkeypatch):
    detector.save(tmp_path / "detector")
    before = (tmp_path / "detector" / "detector.json").read_text()

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(json, "dumps", lambda *_: "x")
    monkeypatch.setattr(type(tmp_path), "write_text", full)
    with pytest.raises(OSError, match="disk full"):
        detector.save(tmp_path / "detector")
    assert (tmp_path / "detector" / "detector.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["detector"]


def test_every_kind_has_a_name_of_its_own():
    def kinds_of(base):
        return {kind for direct in base.__subclasses__() for kind in (direct, *kinds_of(direct))}

    # Those of tests are not ours.
    ours = {kind for kind in kinds_of(Detector) if kind.__module__.startswith("fanogan_tf")}
    # That of several members is made of others, and loaded with them.
    assert {*methods.detector_kinds().values(), MembersDetector} == ours
    assert MembersDetector.KIND not in methods.detector_kinds()


def test_nothing_to_load(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match=rf"^{folder}: no trained detector here; run fanogan train"):
            methods.load_detector(folder)


def test_missing_variables_are_noticed(detector, tmp_path):
    """Weights of smaller networks are not taken for these."""
    detector.save(tmp_path)
    settings = json.loads((tmp_path / "detector.json").read_text())
    settings["networks"]["image_shape"] = [16, 24, 1]
    (tmp_path / "detector.json").write_text(json.dumps(settings))
    with pytest.raises((AssertionError, ValueError)):
        methods.load_detector(tmp_path)
