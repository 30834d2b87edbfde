"""`--standardise` and `--sharpness` in training and scoring: what the networks see is what they were trained on."""

import dataclasses

import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.standardise import standardised
from fanogan_tf.methods.base import network_spec, shown, training_feed
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options

SPEC = NetworkSpec((8, 8, 1), dim=2, latent_dim=3)
PIXELS = np.random.default_rng(0).integers(40, 90, (6, 8, 8, 1), np.uint8)
NAMES = np.array([str(i) for i in range(6)])
IMAGES = ImageSet(PIXELS, np.zeros(6, np.int64), NAMES, NAMES, regions=np.ones(PIXELS.shape, bool))
HOW = {"standardise": "image", "sharpness": 0.3}
OPTIONS = Options(dim=2, latent_dim=3, **HOW)


def test_a_detector_scores_raw_images_as_another_one_standardised_ones():
    parts = {name: make(SPEC) for name, make in EncoderDetector.NETWORKS.items()}
    plain = EncoderDetector(SPEC, **parts, kappa=1.0)
    own = EncoderDetector(dataclasses.replace(SPEC, **HOW), **parts, kappa=1.0)
    raw = IMAGES.float_images(np.arange(6))
    expected = plain.measure(standardised(tf.constant(raw), *HOW.values()).numpy())
    assert not np.allclose(plain.measure(raw)["score"], expected["score"])
    for name, values in own.measure(raw).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(own.shown(raw), standardised(tf.constant(raw), *HOW.values()))


def test_training_and_its_sheets_see_the_same():
    """With regions beside the images, too, which stay as they are."""
    raw = training_feed(IMAGES, 4, dataclasses.replace(OPTIONS, standardise="none", sharpness=0.0))()
    expected = standardised(next(iter(raw)), *HOW.values()).numpy()
    np.testing.assert_allclose(next(iter(training_feed(IMAGES, 4, OPTIONS)())), expected, atol=1e-6)
    both = next(iter(training_feed(IMAGES, 4, OPTIONS, inputs=("image", "region"))()))
    np.testing.assert_allclose(both["image"], expected, atol=1e-6)
    assert np.all(both["region"] == 1.0)
    sheet = shown(Splits(IMAGES, IMAGES, IMAGES), network_spec(OPTIONS, (8, 8, 1)))
    np.testing.assert_allclose(sheet, standardised(tf.constant(IMAGES.float_images(np.arange(6))), *HOW.values()), atol=1e-6)
