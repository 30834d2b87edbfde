"""What an exported detector answers to: its signatures, by name.

One rule for all methods: what the method does not have is not there. So the outputs of `serving_default` and `serving_bytes` are
`score`, `probability` and `anomalous`, and whatever else `Detector.measure` returns; `encode` is there where an encoder is,
`generate` where `Detector.can_generate`.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.serving import decision, image_bytes, preprocessing

_ENCODERS = ("encoder", "first_encoder")


def signatures(detector: Detector) -> dict[str, tf.types.experimental.GenericFunction]:
    """The functions, each with its one input by name; every input and output has the batch, of any size, first.

    serving_default: `image` (B, H, W, 1) float32 in [0, 255] -> what `Detector.measure` returns of it; `probability` (B,) float32
      and `anomalous` (B,) bool.
    serving_bytes: `image_bytes` (B,) strings, PNG or JPEG, each of any size -> the same.
    encode: `image` -> `latent` (B, latent_dim).
    generate: `latent` -> `generated` (B, H, W, 1), in [-1, 1] as all images that come out.
    """
    shape = detector.spec.image_shape
    image = tf.TensorSpec((None, *shape), tf.float32, name="image")
    contents = tf.TensorSpec((None,), tf.string, name="image_bytes")
    latent = tf.TensorSpec((None, detector.latent_dim), tf.float32, name="latent")

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32)])  # One graph that both signatures call.
    def judged(images: tf.Tensor) -> dict[str, tf.Tensor]:
        measured = _even_of_none(detector.compute, images)
        return {
            **measured,
            "probability": decision.probability(detector.calibration, measured["score"]),
            "anomalous": decision.anomalous(detector.calibration, measured["score"]),
        }

    def from_bytes(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        return judged(preprocessing.sixteen_bits_to_signed(image_bytes.decode(contents, shape[:2])))

    functions = {
        "serving_default": (lambda image: judged(preprocessing.to_signed(image)), image),
        "serving_bytes": (from_bytes, contents),
    }
    encoder = next((getattr(detector, name) for name in _ENCODERS if name in detector.NETWORKS), None)
    if encoder:
        encode = _inference(encoder, "latent")
        functions["encode"] = (lambda image: _even_of_none(encode, preprocessing.to_signed(image)), image)
    if detector.can_generate:
        generate = _inference(detector.generator, "generated")
        functions["generate"] = (lambda latent: _even_of_none(generate, latent), latent)
    return {name: tf.function(function, input_signature=[spec]) for name, (function, spec) in functions.items()}


def _inference(network: keras.Model, output: str) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    return lambda batch: {output: network(batch, training=False)}


def _even_of_none(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], batch: tf.Tensor) -> dict[str, tf.Tensor]:
    """`function(batch)`, of an empty batch too: batch normalisation on a CPU refuses those, so it gets a row of zeros."""
    count = tf.shape(batch)[0]
    missing = tf.cast(count == 0, tf.int32)
    filled = tf.pad(batch, [[0, missing]] + [[0, 0]] * (batch.shape.rank - 1))
    return {name: values[:count] for name, values in function(filled).items()}
