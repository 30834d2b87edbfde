"""The exported model where this package is not: TensorFlow alone, its C library, its command, TensorFlow Serving's messages."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.helpers import c_api
from tests.helpers import served_models as made

pytestmark = pytest.mark.slow

ALONE = """
import sys
for name in ("fanogan_tf", "keras", "sklearn", "PIL"):
    sys.modules[name] = None  # Not to be imported.
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
outputs = model.signatures["serving_default"](image=tf.constant(np.load(sys.argv[2])))
np.savez(sys.argv[3], **{name: value.numpy() for name, value in outputs.items()})
assert not any(name.startswith("fanogan_tf") and module for name, module in sys.modules.items())
"""


@pytest.fixture(scope="module")
def images():
    return made.test_set().images.astype(np.float32)


def test_on_a_machine_with_tensorflow_alone(detector, exported, images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-I", "-c", ALONE, exported / "1", tmp_path / "images.npy", tmp_path / "out.npz"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert finished.returncode == 0, finished.stderr
    found = np.load(tmp_path / "out.npz")
    expected = detector.judge(images / np.float32(127.5) - np.float32(1))
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)
    np.testing.assert_array_equal(found["anomalous"], expected["anomalous"])


def test_through_the_c_api(exported, served, images):
    found, expected = c_api.run(exported / "1", "serving_default", images[:50]), served(images[:50])
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_the_c_api_says_what_is_wrong(exported):
    with pytest.raises(RuntimeError, match=r"grey levels must be in \[0, 255\]"):
        c_api.run(exported / "1", "serving_default", np.full((2, *made.SHAPE), 300.0))


def test_saved_model_cli(exported, served, images, tmp_path):
    np.save(tmp_path / "x.npy", images[:5])
    command = [Path(sys.executable).with_name("saved_model_cli"), "run", "--dir", exported / "1", "--tag_set", "serve"]
    command += ["--signature_def", "serving_default", "--inputs", f"image={tmp_path / 'x.npy'}", "--outdir", tmp_path]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert finished.returncode == 0, finished.stderr
    np.testing.assert_allclose(np.load(tmp_path / "score.npy"), served(images[:5])["score"], rtol=1e-5)


def test_a_predict_request_fits_the_signature(served, images):
    """Built as README's client does, sent as bytes, and answered by the names and types that it has."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "digits", "serving_default"
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(images[:5]))
    received = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    signature = received.model_spec.signature_name
    inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in received.inputs.items()}
    assert inputs.keys() == served.inputs[signature].keys()
    assert all(served.inputs[signature][name].is_compatible_with(tensor) for name, tensor in inputs.items())
    response = predict_pb2.PredictResponse()
    for name, values in served.run(signature, **inputs).items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
    scores = predict_pb2.PredictResponse.FromString(response.SerializeToString()).outputs["score"]
    np.testing.assert_array_equal(tf.make_ndarray(scores), served(images[:5])["score"])
