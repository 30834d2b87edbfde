import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from fanogan_tf.serving import warmup
from fanogan_tf.serving.saved_model import EXTRA, SCORING
from tests.helpers import served_models as made


def logs(path):
    return [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]


def test_requests_that_the_model_answers(exported, served):
    seen = []
    for log in logs(exported / "1" / EXTRA / "tf_serving_warmup_requests"):
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()}
        (values,) = inputs.values()
        outputs = served.run(request.model_spec.signature_name, **inputs)
        assert np.isfinite(outputs["score"]).all() and len(outputs["score"]) == len(values)
        seen.append((request.model_spec.signature_name, len(values)))
    assert seen == [(signature, count) for count in (1, 8) for signature in SCORING]


def test_pixels_and_files_are_the_same_images(served, tmp_path):
    warmup.write(tmp_path / "w", made.SHAPE, ("image",))
    pixels, contents = (log.predict_log.request.inputs for log in logs(tmp_path / "w")[2:])
    scores = served(tf.make_ndarray(pixels["image"]))["score"]
    np.testing.assert_array_equal(scores, served.from_bytes(contents["image_bytes"].string_val)["score"])


def test_long_messages():
    """Lengths above 127 take more than one byte."""
    image = tf.make_tensor_proto(np.arange(1000, dtype=np.float32))
    log = prediction_log_pb2.PredictionLog.FromString(warmup.prediction_log("s" * 200, {"i" * 300: image}))
    request = log.predict_log.request
    assert request.model_spec.signature_name == "s" * 200 and request.inputs["i" * 300] == image
