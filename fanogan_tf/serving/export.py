"""A calibrated detector as a SavedModel that TensorFlow alone can serve.

What an exported detector answers to: its signatures, by name.

One rule for all methods: what the method does not have is not there. So the outputs of `serving_default` and `serving_bytes` are
`score`, `probability` and `anomalous`, and whatever else `Detector.measure` returns; `encode` is there where an encoder is,
`generate` where `Detector.can_generate`.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from fanogan_tf import files
from fanogan_tf.detection import calibration
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.serving import graph_decoding, warmup
from fanogan_tf.serving.saved_model import CARD, EXTRA, versions


def export(detector: Detector, folder: Path, version: int = 0, card: dict | None = None) -> Path:
    """Writes `folder/<version>`: saved_model.pb, variables/, and in assets.extra/ the warm-up requests and model_card.json.

    It appears when it is complete, so that a server that watches `folder` never sees half of it.

    Args:
      detector: calibrated.
      version: its number; 0 for the one after the highest that is there, 1 if there is none.
      card: see `model_card`; signatures and sums of the files are added.

    Returns:
      `folder/<version>`.

    Raises:
      UserError: that version is there, or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        number = version or max(versions(folder), default=0) + 1
        path = folder / str(number)
        with files.new_folder(path) as temporary:
            described = _write(detector, temporary)
            content = {**(card or {}), "signatures": described, "sha256": sums(temporary)}
            (temporary / CARD).write_text(json.dumps(content, indent=1), encoding="utf-8")
    except FileExistsError as error:
        if not folder.is_dir():
            raise UserError(f"--output={folder}: is a file; take another folder") from error
        raise UserError(
            f"{path}: is there already, and no version is written over; leave out --version for the next one"
        ) from error
    except OSError as error:
        raise UserError(f"--output={folder}: cannot be written ({error.strerror}); take another folder") from error
    return path


def _write(detector: Detector, folder: Path) -> dict:
    """Fills `folder` but for the card; returns what the signatures take and return."""
    # The archive finds the variables by itself; networks given to `track` would be stored twice.
    archive = keras.export.ExportArchive()
    described = {}
    for name, function in signatures(detector).items():
        concrete = function.get_concrete_function()
        archive.add_endpoint(name, function)
        inputs = {spec.name: spec for spec in function.input_signature}
        described[name] = {"inputs": _described(inputs), "outputs": _described(concrete.structured_outputs)}
    archive.write_out(str(folder), verbose=False)
    (folder / EXTRA).mkdir()
    warmup.write(folder / EXTRA / warmup.FILE, detector.spec.image_shape)
    return described


def _described(specs: dict) -> dict:
    return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in sorted(specs.items())}


def sums(folder: Path) -> dict[str, str]:
    """Of every file below `folder`, by its path from there: what sha256sum prints."""
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
            "probability": calibration.probability(detector.calibration, measured["score"]),
            "anomalous": calibration.anomalous(detector.calibration, measured["score"]),
        }

    def from_bytes(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        return judged(graph_decoding.sixteen_bits_to_signed(graph_decoding.decode(contents, shape[:2])))

    functions = {
        "serving_default": (lambda image: judged(graph_decoding.to_signed(image)), image),
        "serving_bytes": (from_bytes, contents),
    }
    encoder = getattr(detector, detector.ENCODER, None)
    if encoder:
        encode = _inference(encoder, "latent")
        functions["encode"] = (lambda image: _even_of_none(encode, graph_decoding.to_signed(image)), image)
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
