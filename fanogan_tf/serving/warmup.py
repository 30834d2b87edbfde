"""Warm-up requests: TensorFlow Serving plays them to a new version, so that its first real request is not slow."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

FILE = "tf_serving_warmup_requests"
# One image, and a batch; a graph of any batch size still prepares memory and kernels for each it meets.
_BATCHES = (1, 8)


def write(path: Path, image_shape: tuple[int, int, int], inputs: Sequence[str]) -> None:
    """Writes a TFRecord file of PredictionLog messages: noise (H, W, 1) for each of `inputs`, as pixels and as PNG."""
    noise = np.random.default_rng(0).integers(0, 256, (max(_BATCHES), *image_shape), np.uint8)
    requests = []
    for count in _BATCHES:
        pixels, contents = noise[:count].astype(np.float32), np.array([_png(image) for image in noise[:count]], object)
        requests.append(("serving_default", dict.fromkeys(inputs, pixels)))
        requests.append(("serving_bytes", {f"{name}_bytes": contents for name in inputs}))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, values in requests:
            writer.write(prediction_log(signature, {name: tf.make_tensor_proto(each) for name, each in values.items()}))


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def prediction_log(signature: str, inputs: dict) -> bytes:
    """A serialised tensorflow.serving.PredictionLog of one PredictRequest; `inputs`: TensorProtos by name.

    By hand, as these four messages are all that is needed of tensorflow-serving-api, which would bring a second TensorFlow along.
    """
    model_spec = _field(3, signature.encode())
    entries = (_field(1, name.encode()) + _field(2, proto.SerializeToString()) for name, proto in inputs.items())
    request = _field(1, model_spec) + b"".join(_field(2, entry) for entry in entries)
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer: its number, the length, the content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
