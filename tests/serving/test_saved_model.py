import shutil

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export
from fanogan_tf.serving.saved_model import CARD
from tests.helpers import served_models as made


def save(folder, **signatures):
    """A SavedModel with these signatures, each from an `image` or so to whatever it says."""
    module = tf.Module()
    functions = {}
    for name, (spec, outputs) in signatures.items():
        function = tf.function(lambda x, outputs=outputs: {output: tf.zeros(tf.shape(x)[:1]) for output in outputs})
        functions[name] = function.get_concrete_function(spec)
        setattr(module, name, function)
    tf.saved_model.save(module, str(folder), signatures=functions)


IMAGE, CONTENTS = tf.TensorSpec((None, 4, 4, 1), name="image"), tf.TensorSpec((None,), tf.string, name="image_bytes")
ALL = ("score", "probability", "anomalous")


@pytest.mark.parametrize(
    ("signatures", "said"),
    [
        ({}, "signature serving_default is missing"),
        ({"serving_default": (IMAGE, ALL)}, "signature serving_bytes is missing"),
        ({"serving_default": (IMAGE, ["score"])}, "signature serving_default has no probability, anomalous"),
        ({"serving_default": (CONTENTS, ALL)}, "signature serving_default has no image;"),
    ],
)
def test_one_of_somebody_else(tmp_path, signatures, said):
    save(tmp_path, **signatures)
    with pytest.raises(UserError, match="no SavedModel of fanogan_tf") as caught:
        saved_model.load(tmp_path)
    assert said in str(caught.value) and "fanogan export" in str(caught.value)


def test_no_model_at_all(tmp_path):
    with pytest.raises(UserError, match=r"no saved_model\.pb"):
        saved_model.load(tmp_path)


@pytest.mark.parametrize("damaged", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_damaged_one(exported, tmp_path, damaged):
    shutil.copytree(exported / "1", tmp_path / "1")
    (tmp_path / "1" / damaged).write_bytes((tmp_path / "1" / damaged).read_bytes()[:99])
    with pytest.raises(UserError, match=r"1: a damaged SavedModel \("):
        saved_model.load(tmp_path)


def test_the_newest_version_or_a_certain_one(tmp_path):
    first, second = made.detector("pca"), made.detector("pca", seed=1)
    export(first, tmp_path, version=9)
    export(second, tmp_path, version=10)
    images = made.test_set().images[:5]
    newest, certain = saved_model.load(tmp_path), saved_model.load(tmp_path / "9")
    signed = images.astype(np.float32) / np.float32(127.5) - np.float32(1)
    np.testing.assert_array_equal(newest(images)["score"], second.measure(signed)["score"])
    np.testing.assert_array_equal(certain(images)["score"], first.measure(signed)["score"])
    assert newest.path == tmp_path / "10"


def test_it_stands_in_for_the_detector(detector, served):
    """To the last bit, although images come in [-1, 1] here: of 8 bits, and of 16."""
    for top, half in ((256, 127.5), (65536, 32767.5)):
        stored = np.random.default_rng(0).integers(0, top, (9, *made.SHAPE))
        images = stored.astype(np.float32) / np.float32(half) - np.float32(1)
        expected, found = detector.judge(images), served.judge(images)
        np.testing.assert_array_equal(found["score"], expected["score"])
        np.testing.assert_array_equal(found["anomalous"], expected["anomalous"])
    assert served.RESTORES and served.image_shape == detector.image_shape


def test_its_card_may_have_been_left_behind(exported, tmp_path):
    shutil.copytree(exported / "1", tmp_path / "1")
    (tmp_path / "1" / CARD).unlink()
    assert saved_model.load(tmp_path).card == {} != saved_model.load(exported).card
