"""A calibrated detector as a SavedModel that TensorFlow alone can serve, and the signatures that it answers to.

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

from fanogan_tf import files, keras_line
from fanogan_tf.data.organ import FILM
from fanogan_tf.detection import calibration
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.serving import graph_decoding, warmup
from fanogan_tf.serving.saved_model import CARD, EXTRA, RATE, versions


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
    keras_line.write_out(archive, folder)
    (folder / EXTRA).mkdir()
    warmup.write(folder / EXTRA / warmup.FILE, sent_shape(detector), detector.INPUTS)
    return described


def _described(specs: dict) -> dict:
    return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in sorted(specs.items())}


def sums(folder: Path) -> dict[str, str]:
    """Of every file below `folder`, by its path from there: what sha256sum prints."""
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# How each input of a detector is made of pixels, and of encoded files: levels of 16 bits, and regions.
_FROM_PIXELS = {"image": graph_decoding.to_levels, "region": graph_decoding.to_region}
_FROM_FILES = {"image": graph_decoding.decode, "region": graph_decoding.decode_mask}


def sent_shape(detector: Detector) -> tuple[int, int, int]:
    """(H, W, 1) of the images that are sent: whole films, where the detector cuts them itself."""
    return detector.spec.image_shape if detector.front is None else (FILM, FILM, 1)


def _seen(detector: Detector, levels: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Images (B, H, W, 1) in [-1, 1] of what was sent, and what `Front.cut_in_graph` says where the detector cuts films."""
    if detector.front is None:
        return graph_decoding.sixteen_bits_to_signed(levels), {}
    cut, said = detector.front.cut_in_graph(levels, detector.spec.image_shape[:2])
    return graph_decoding.sixteen_bits_to_signed(cut), said


def judged(detector: Detector, levels: tf.Tensor, *others: tf.Tensor) -> dict[str, tf.Tensor]:
    """What is said of images, in a graph: what `Detector.measure` returns, and what the calibration makes of the score.

    Args:
      levels: (B, *sent_shape) float32, those of 16 bits. others: the rest of `Detector.INPUTS`.
    """
    images, region = _seen(detector, levels)
    measured, found = detector.measured(images, *others) | region, detector.calibrated()
    return {
        **measured,
        "probability": calibration.probability(found, measured["score"]),
        "anomalous": calibration.anomalous(found, measured["score"]),
        **({} if found.filter is None else {"certainly_normal": calibration.certainly_normal(found, measured["score"])}),
    }


def signatures(detector: Detector) -> dict[str, tf.types.experimental.GenericFunction]:
    """The functions, their inputs by name; every input and output has the batch, of any size, first.

    serving_default: for each of `Detector.INPUTS` one of its name, (B, H, W, 1) float32 in [0, 255] -> what `Detector.measure`
      returns of it; `probability` (B,) float32 and `anomalous` (B,) bool; `certainly_normal` (B,) bool where there is a filter.
      Where the detector cuts films to their organ, whole films are sent, H and W are FILM, and `region_found` (B,) bool says
      whether the organ was found: where not, no score counts. `region_box` (B, 4) int32 says where a film was cropped: top, left,
      bottom and right, the last two just behind.
    serving_bytes: for each NAME of them `NAME_bytes`, (B,) strings, PNG or JPEG, each of any size -> the same.
    serving_rate: as serving_default, and `false_positive_rate` (B,) float32 -> the same, `anomalous` by that rate's threshold.
    encode: `image` -> `latent` (B, latent_dim).
    generate: `latent` -> `generated` (B, H, W, 1), in [-1, 1] as all images that come out.
    """
    shape = sent_shape(detector)
    pixels = {name: tf.TensorSpec((None, *shape), tf.float32, name=name) for name in detector.INPUTS}
    contents = {name: tf.TensorSpec((None,), tf.string, name=f"{name}_bytes") for name in detector.INPUTS}
    latent = tf.TensorSpec((None, detector.latent_dim), tf.float32, name="latent")

    # One graph, which both call.
    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *shape), tf.float32)] * len(pixels))
    def one_graph(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return _even_of_none(lambda *some: judged(detector, *some), *inputs)

    def from_pixels(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return one_graph(*(_FROM_PIXELS[name](values) for name, values in zip(pixels, inputs, strict=True)))

    def from_bytes(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return one_graph(*(_FROM_FILES[name](values, shape[:2]) for name, values in zip(contents, inputs, strict=True)))

    def at_rate(rate: tf.Tensor, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        said = from_pixels(*inputs)
        return said | {"anomalous": calibration.anomalous_at(said["probability"], rate)}

    rate = tf.TensorSpec((None,), tf.float32, name=RATE)
    functions: dict[str, tuple[Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]]] = {
        "serving_default": (from_pixels, [*pixels.values()]),
        "serving_rate": (at_rate, [rate, *pixels.values()]),
        "serving_bytes": (from_bytes, [*contents.values()]),
    }
    encoder = getattr(detector, detector.ENCODER, None)
    if encoder:
        encode = _inference(encoder, "latent")
        seen = lambda image: detector.spec.prepared(_seen(detector, graph_decoding.to_levels(image))[0])  # noqa: E731
        functions["encode"] = (lambda image: _even_of_none(lambda one: encode(seen(one)), image), [pixels["image"]])
    if detector.can_generate:
        generate = _inference(detector.generator, "generated")
        functions["generate"] = (lambda latent: _even_of_none(generate, latent), [latent])
    return {name: tf.function(function, autograph=False, input_signature=specs) for name, (function, specs) in functions.items()}


def _inference(network: keras.Model, output: str) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    return lambda batch: {output: network(batch, training=False)}


def _even_of_none(function: Callable[..., dict[str, tf.Tensor]], *batches: tf.Tensor) -> dict[str, tf.Tensor]:
    """`function(*batches)`, of empty ones too: batch normalisation on a CPU refuses those, so they get a row of zeros."""
    count = tf.shape(batches[0])[0]
    missing = tf.cast(count == 0, tf.int32)
    filled = (tf.pad(batch, [[0, missing]] + [[0, 0]] * (batch.shape.rank - 1)) for batch in batches)
    return {name: values[:count] for name, values in function(*filled).items()}
