"""Files for other runtimes: they say what the run says, without TensorFlow. All methods: benchmarks/export_formats.py."""

import json

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.serving import exported, formats, model_file, rest, runtimes, saved_model
from tests.helpers import served_models as made

pytestmark = pytest.mark.slow

CARD = {"flags": {"method": "fanogan"}}


@pytest.fixture(scope="module", params=sorted(formats.WEIGHTS))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def path(kind, detector, tmp_path_factory):
    return exported.write(detector, tmp_path_factory.mktemp(kind) / "digits", CARD, kind=kind)


def test_it_says_what_the_detector_says(kind, path, detector):
    test = made.test_set()
    expected = detector.judge(test.float_images(np.arange(len(test))))
    model = exported.load(path)
    found = model(test.images)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        # Between two held-out scores that are nearly the same, the probability makes much of a last bit.
        least = 1e-3 if name == "probability" else 1e-6 if values.ndim > 1 else 1e-9
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=least, err_msg=name)
    np.testing.assert_array_equal(found["anomalous"], expected["anomalous"])
    assert 0 < found["anomalous"].mean() < 1
    assert {name: len(values) for name, values in model(test.images[:0]).items()} == dict.fromkeys(found, 0)


def test_it_is_proved_without_tensorflow(path, detector):
    line = saved_model.compare(detector, exported.load(path), made.test_set(), 16)
    assert "all decisions are the same" in line and "relative" in line


def test_what_a_server_asks_of_it(path, detector):
    """Encoded files, grey levels out of range, and requests by the protocol of TensorFlow Serving."""
    model = exported.load(path)
    image = made.test_set().images[:1]
    png = tf.io.encode_png(image[0]).numpy()
    np.testing.assert_allclose(model.from_bytes([png])["score"], model(image)["score"])
    request = rest.parse(model, {"instances": [image[0].tolist()]})
    np.testing.assert_allclose(rest.run(model, request.signature, request.values)["score"], model(image)["score"])
    image = made.test_set().images[:9].astype(np.float32)
    said = model(image)
    model.rate = 0.9
    assert (model(image)["anomalous"] == (said["probability"] > np.float32(0.1))).all()
    model.rate = None
    for values in (image - 1000.0, image * np.nan):
        with pytest.raises(rest.BadRequest, match=r"grey levels must be in \[0, 255\]"):
            rest.run(model, "serving_default", {"image": values})
    with pytest.raises(rest.BadRequest, match="neither PNG nor JPEG"):
        rest.run(model, "serving_bytes", {"image_bytes": np.array([b"nothing"], object)})


def test_its_card(kind, path):
    card = json.loads(formats.card_of(path).read_text())
    assert card["flags"] == CARD["flags"] and card["signatures"]["serving_default"]["format"] == kind
    assert path.name in card["sha256"] and model_file.load(path).card == card


def test_nothing_is_written_over(kind, path, detector):
    before = path.read_bytes()
    with pytest.raises(UserError, match="is there already, and no model is written over"):
        exported.write(detector, path, CARD, kind=kind)
    assert path.read_bytes() == before


def test_what_lies_beside_is_not_written_over(detector, tmp_path):
    for name in ("digits.bin", "digits.xml.card.json"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(UserError, match=f"{name}: is there already"):
            exported.write(detector, tmp_path / "digits", CARD, kind="openvino")
        assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


def test_coarser_weights_are_told_and_not_refused(detector, tmp_path):
    path = exported.write(detector, tmp_path / "small", CARD, kind="litert", weights="float16")
    line = saved_model.compare(detector, exported.load(path), made.test_set(), 16)
    worst = float(line.partition("relative ")[2].partition(";")[0])
    assert saved_model.TOLERANCE < worst < 0.05
    with pytest.raises(UserError, match=r"^--weights=float16: --format=onnx has float32 and int8$"):
        exported.write(detector, tmp_path / "small", CARD, kind="onnx", weights="float16")


@pytest.mark.parametrize(
    ("scored", "why"),
    [
        (lambda image: tf.raw_ops.Lgamma(x=tf.linalg.det(image[..., 0])), r".*(Lgamma|MatrixDeterminant).*"),
        (lambda image: tf.raw_ops.ReluGrad(gradients=image, features=image), "it searches while it scores, by ReluGrad"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_by_name(detector, tmp_path, monkeypatch, scored, why):
    function = tf.function(lambda image: {"score": scored(image)}, [tf.TensorSpec((1, *made.SHAPE), name="image")])
    monkeypatch.setattr(formats, "graph", lambda detector, batch=None: function)
    for kind in ("onnx", "openvino", "litert"):
        with pytest.raises(
            UserError, match=rf"^--format={kind}: cannot hold the graph of encoder \({why}\); export it as saved_model$"
        ):
            exported.write(detector, tmp_path / "model", CARD, kind=kind)
    assert not list(tmp_path.iterdir())


def test_another_run_is_told(path, detector):
    other = made.detector("critic")
    with pytest.raises(UserError, match="scores differ from the run's"):
        saved_model.compare(other, exported.load(path), made.test_set(), 16)


def test_bad_files(tmp_path):
    for name in ("none.onnx", "none.tflite"):
        with pytest.raises(UserError, match="no such file"):
            exported.load(tmp_path / name)
    for name in ("damaged.onnx", "damaged.tflite", "damaged.xml"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(UserError, match="a damaged model"):
            exported.load(tmp_path / name)
    with pytest.raises(ValueError, match=r"a model's file ends in \.onnx, \.xml, \.tflite"):
        runtimes.load(tmp_path / "model.pb")
