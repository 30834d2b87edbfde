"""A calibrated detector as one file for a runtime other than TensorFlow's: ONNX, OpenVINO or LiteRT.

The graph is that of the SavedModel's `serving_default` without the checks that only TensorFlow has: preparation, networks, score,
probability and decision are inside. `serving.runtimes` runs the files.
"""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from fanogan_tf import errors, files
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.serving import export, runtimes

FORMATS = ("saved_model", "onnx", "openvino", "litert")
# Of the weights, by the runtime's own tool; the arithmetic is the runtime's.
WEIGHTS = {"onnx": ("float32", "int8"), "openvino": ("float32", "float16"), "litert": ("float32", "float16", "int8")}
_ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "litert": ".tflite"}
_MODULES = {"onnx": ("tf2onnx", "onnxruntime"), "openvino": ("openvino",), "litert": ("ai_edge_litert",)}
_OPSET = 18


def write(detector: Detector, path: Path, kind: str, weights: str, card: dict) -> Path:
    """Writes the file of `kind` at `path`, whose ending is put right, and its model card beside it, NAME.card.json.

    Args:
      kind: of FORMATS, but saved_model.
      weights: float32, or what WEIGHTS has for it.
      card: see `model_card`.

    Returns:
      the file.

    Raises:
      UserError: a library is missing, there are no such weights, the file is there already, or the format cannot hold the graph.
    """
    for module in _MODULES[kind]:
        errors.need(module, "formats", f"--format={kind}")
    if weights not in WEIGHTS[kind]:
        raise UserError(f"--weights={weights}: --format={kind} has {' and '.join(WEIGHTS[kind])}")
    path = Path(path)
    path = path if path.suffix == _ENDINGS[kind] else path.with_name(path.name + _ENDINGS[kind])
    for part in (path, card_of(path), path.with_suffix(".bin") if kind == "openvino" else path):
        if part.exists():
            raise UserError(f"{part}: is there already, and no model is written over; take another --output")
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / path.name
            with _quiet():
                try:
                    _CONVERTERS[kind](detector, made, weights)
                    # A converter may write what no runtime can run.
                    runtimes.load(made)
                except Exception as error:
                    raise _refused(kind, detector, error) from error
            signature = {"inputs": list(detector.INPUTS), "weights": weights, "format": kind}
            content = {**card, "signatures": {"serving_default": signature}, "sha256": export.sums(Path(folder))}
            # The file itself comes last: where it is, the rest is.
            parts = sorted(Path(folder).iterdir(), key=lambda part: part == made)
            with files.whole_file(card_of(path)) as temporary:
                temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
            for part in parts:
                with files.whole_file(path.with_name(part.name)) as temporary:
                    temporary.write_bytes(part.read_bytes())
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"--output={path}: cannot be written ({error.strerror}); take another") from error
    return path


def card_of(path: Path) -> Path:
    """Where the model card of the file `path` lies."""
    return path.with_name(f"{path.name}.card.json")


def graph(detector: Detector, batch: int | None = None) -> Any:
    """The function that is converted: for each of `Detector.INPUTS` (B, H, W, 1) float32 in [0, 255] -> `export.judged`.

    batch: B; None for any.
    """
    specs = [tf.TensorSpec((batch, *export.sent_shape(detector)), tf.float32, name=name) for name in detector.INPUTS]

    @tf.function(autograph=False, input_signature=specs)
    def judged(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        levels, *others = inputs
        return export.judged(detector, levels * 257.0, *(tf.cast(values > 0.0, tf.float32) for values in others))

    return judged


def _onnx(detector: Detector, path: Path, weights: str) -> None:
    import tf2onnx

    concrete = graph(detector).get_concrete_function()
    # Frozen: arrays that are no variables would become inputs.
    frozen = convert_variables_to_constants_v2(concrete)
    names = {tensor.name: name for tensor, name in zip(frozen.outputs, sorted(concrete.structured_outputs), strict=True)}
    given = {tensor.name: tensor.name.partition(":")[0] for tensor in frozen.inputs}
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(), input_names=list(given), output_names=list(names), opset=_OPSET
    )
    _rename(model.graph, given | names)
    path.write_bytes(model.SerializeToString())
    if weights == "int8":
        from onnxruntime.quantization import quantize_dynamic

        whole = path.with_suffix(".float32.onnx")
        os.replace(path, whole)
        quantize_dynamic(whole, path)
        whole.unlink()


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Gives tensors of an ONNX graph other names, wherever they are named."""
    for port in (*graph.input, *graph.output):
        port.name = names.get(port.name, port.name)
    for node in graph.node:
        for places in (node.input, node.output):
            places[:] = [names.get(name, name) for name in places]


def _openvino(detector: Detector, path: Path, weights: str) -> None:
    import openvino

    function = graph(detector)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(_holder(function), folder, signatures={"serving_default": function})
        model = openvino.convert_model(folder)
        openvino.save_model(model, str(path), compress_to_fp16=weights == "float16")


def _litert(detector: Detector, path: Path, weights: str) -> None:
    function = graph(detector, batch=1)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(_holder(function), folder, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        if weights != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        path.write_bytes(converter.convert())


def _holder(function: Any) -> tf.Module:
    """What keeps the variables while the graph is saved."""
    holder = tf.Module()
    holder.judged, holder.kept = function, list(function.get_concrete_function().variables)
    return holder


def _refused(kind: str, detector: Detector, error: Exception) -> UserError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # What LiteRT and OpenVINO have no operation for, they list far down in what they say.
    named = re.search(r"(?:Flex ops|Select ops|rule found for operations): ([^\n]+)", str(error))
    if beyond := _of_a_search(detector):
        told = f"it searches while it scores, by {', '.join(beyond)}"
    elif named:
        told = f"it has no {named[1]}"
    else:
        told = next((line for line in lines if "not supported" in line), lines[0] if lines else type(error).__name__)
    told = re.sub(r"\S*/\S+ ?", "", told)  # Where it was tried is nobody's business.
    return UserError(f"--format={kind}: cannot hold the graph of {detector.KIND} ({told[:200]}); export it as saved_model")


def _of_a_search(detector: Detector) -> list[str]:
    """The operations of its graph that no other runtime has, because they are those of training: gradients and random numbers."""
    held = graph(detector).get_concrete_function().graph.as_graph_def()
    operations = {node.op for node in held.node} | {node.op for part in held.library.function for node in part.node_def}
    return sorted(name for name in operations if re.search(r"Grad(V\d)?$|^StatelessRandom", name))


_CONVERTERS: dict[str, Callable[[Detector, Path, str], None]] = {"onnx": _onnx, "openvino": _openvino, "litert": _litert}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Converters tell much on both streams that is of no use to a user; what goes wrong they raise."""
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            for number, one in zip((1, 2), kept, strict=True):
                os.dup2(one, number)
                os.close(one)
