import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS, load_detector
from fanogan_tf.methods.ganomaly import GanomalyDetector, LossWeights
from fanogan_tf.methods.roi_ganomaly import RoiGanomaly, RoiGanomalyDetector
from fanogan_tf.networks import autoencoder
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.random_streams import RiskDraw
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import risk
from fanogan_tf.training.optimization import Adam
from tests.helpers.tiny import numbers

SPEC = NetworkSpec((16, 16, 1), dim=2, latent_dim=3)
NETWORKS = ("first_encoder", "decoder", "second_encoder", "discriminator")


def batch(seed=0, count=6):
    random = np.random.default_rng(seed)
    region = np.zeros((count, 16, 16, 1), np.float32)
    region[:, 3:13, 2:9] = 1.0
    return {"image": tf.constant(random.uniform(-1, 1, region.shape), tf.float32), "region": tf.constant(region)}


def made(consistency, rate=0.0, **noise):
    keras.utils.set_random_seed(0)
    networks = {name: getattr(autoencoder, name)(SPEC) for name in NETWORKS}
    model = RoiGanomaly(GanomalyDetector.autoencode, networks, consistency=consistency, weights=LossWeights(), seed=5, **noise)
    model.compile(Adam(rate), Adam(rate))
    return model


NOISE = {"l2": {}, "sure": {"sigma": 0.2}, "poisson_gauss": {"sigma": 0.1, "gain": 0.02}}


@pytest.mark.parametrize(("consistency", "noise"), NOISE.items())
def test_logs_by_their_formulas(consistency, noise):
    """The discriminator and the distance see the lungs alone, the encoder the whole film."""
    some, model = batch(), made(consistency, **noise)
    logs = numbers(model.train_step(some))
    model = made(consistency, **noise)
    image, region = some["image"], some["region"]
    target = region * image - (1 - region)
    z = model.networks["first_encoder"](image, training=True)
    restored = model.networks["decoder"](z, training=True)
    _, features = model.discriminator(target, training=True)
    _, restored_features = model.discriminator(restored, training=True)
    probe = tf.random.stateless_normal(image.shape, key(5, 0, RiskDraw.PROBE))
    skewed = risk.skewed_draw(tf.random.stateless_uniform(image.shape, key(5, 0, RiskDraw.SKEWED)))
    distance = {
        "l2": lambda: risk.squared_error(restored, image, region),
        "sure": lambda: risk.gaussian(model.restore, restored, image, region, 0.2, probe),
        "poisson_gauss": lambda: risk.poisson_gaussian(model.restore, restored, image, region, 0.1, 0.02, probe, skewed),
    }[consistency]
    expected = {
        "adversarial": np.mean(np.square(features - restored_features)),
        "contextual": np.mean(distance()),
        "encoding": np.mean(np.square(z - model.second_encoder(restored, training=True))),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=2e-3, atol=1e-6, err_msg=name)
    total = expected["adversarial"] + 50 * expected["contextual"] + expected["encoding"]
    assert logs["loss_g"] == pytest.approx(total, rel=1e-2)


def films(count, seed, with_regions=True):
    """A bright square of one of two heights in noise; the region is its left half."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 60, (count, 16, 16, 1), np.uint8)
    heights = random.integers(4, 10, count)
    for image, height in zip(pixels, heights, strict=True):
        image[3 : 3 + height, 3:13] = 200
    regions = np.zeros(pixels.shape, bool)
    regions[:, 2:14, 2:8] = True
    names = np.array([f"{seed}_{i}" for i in range(count)])
    return ImageSet(pixels, np.zeros(count, np.int64), names, names, regions=regions if with_regions else None)


OPTIONS = Options(
    method="roi_ganomaly", dim=4, latent_dim=8, batch_size=16, iterations=300, learning_rate=2e-3, checkpoint_every=1000
)


@pytest.mark.slow
def test_it_restores_the_organ_alone_of_films_without_their_regions(tmp_path, capsys):
    splits = Splits(films(64, 0), films(16, 1), films(16, 2))
    run = RunDirectory(tmp_path / "r")
    run.take(OPTIONS, splits, False)
    METHODS["roi_ganomaly"].train(run, OPTIONS, splits, ("ganomaly",))
    # Noise of 60 grey levels of 255, evenly: sd 2 * 60 / 255 / sqrt(12) = 0.136 in the dark half of the region.
    said = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("noise of the films: sigma"))
    assert 0.05 < float(said.split()[-1]) < 0.2
    detector = METHODS["roi_ganomaly"].DETECTORS[0]
    loaded = load_detector(run.detector)
    assert isinstance(loaded, detector)
    images = splits.test.float_images(np.arange(16))
    measured = loaded.measure(images)
    outside = ~splits.test.regions[:16]
    assert measured["reconstruction"][outside].mean() < -0.85, "what is not the organ is black"
    bright = splits.test.regions[:16] & (images > 0)
    assert measured["reconstruction"][bright].mean() > -0.2, "and what is bright in the organ is seen"
    np.testing.assert_array_equal(measured["residual"][measured["reconstruction"] <= -0.9], 0.0)


def test_needs_regions(tmp_path):
    splits = Splits(films(8, 0, with_regions=False), films(4, 1), films(4, 2))
    with pytest.raises(UserError, match=r"--method=roi_ganomaly: needs the region of the organ.*train_regions/"):
        METHODS["roi_ganomaly"].check(RunDirectory(tmp_path), OPTIONS, splits, ("ganomaly",), False)


def test_noise_given_or_estimated():
    """Films of photons: the brighter, the noisier."""
    method, random = METHODS["roi_ganomaly"], np.random.default_rng(0)
    bright = np.tile(np.linspace(10, 240, 16)[None, :, None, None], (40, 1, 16, 1))
    pixels = np.clip(random.poisson(bright / 4.0) * 4, 0, 255).astype(np.uint8)
    names = np.array([str(i) for i in range(40)])
    photons = ImageSet(pixels, np.zeros(40, np.int64), names, names, regions=np.ones(pixels.shape, bool))
    found = {}
    for consistency in ("sure", "poisson_gauss", "l2"):
        for given in (0.0, 0.07):
            options = dataclasses.replace(OPTIONS, consistency=consistency, noise_sigma=given)
            training = method.training(SPEC, options)
            method.look_at(training, Splits(photons, photons, photons), options)
            found[consistency, given] = training.sigma, training.gain
    assert found["l2", 0.07] == (0.0, 0.0)
    assert found["sure", 0.07] == (0.07, 0.0) and 0.05 < found["sure", 0.0][0] < 0.3
    # Four of 255 grey levels for each photon.
    assert found["poisson_gauss", 0.0][1] == pytest.approx(4 / 127.5, rel=0.4)
    assert found["poisson_gauss", 0.07][0] == 0.07


def test_residual_within_what_is_restored():
    detector = RoiGanomalyDetector(SPEC, **{name: getattr(autoencoder, name)(SPEC) for name in NETWORKS[:3]})
    images = batch()["image"].numpy()
    measured = detector.measure(images)
    lungs = measured["reconstruction"] > -0.9
    np.testing.assert_allclose(measured["residual"], np.abs(images - measured["reconstruction"]) * lungs, atol=1e-6)
    expected = [np.square(r[inside]).mean() for r, inside in zip(measured["residual"], lungs, strict=True)]
    np.testing.assert_allclose(measured["image_residual"], expected, rtol=1e-4)
