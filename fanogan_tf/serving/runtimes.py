"""The runtimes of exported files, each with its own library alone: no TensorFlow, and nothing else of this package.

    model = runtimes.load("models/digits.onnx")
    outputs = model(image=images)   # (B, H, W, 1) float32 in [0, 255] -> arrays by name

Run as a script, `python runtimes.py MODEL INPUTS.npz OUTPUTS.npz` does the same on files, and fails if TensorFlow or this package
was loaded on the way: the proof of an export.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

Outputs = dict[str, np.ndarray]


class Model:
    """A loaded file.

    Attributes:
      inputs: shape of each input by its name, the batch first; -1 where any is taken.
      outputs: names.
    """

    def __init__(self, inputs: dict[str, tuple[int, ...]], outputs: list[str], run: Callable[[Outputs], Outputs]):
        self.inputs, self.outputs, self._run = inputs, outputs, run

    def __call__(self, **inputs: np.ndarray) -> Outputs:
        """Runs it: arrays by name, all of one length, float32. A file of a fixed batch is run again and again."""
        inputs = {name: np.ascontiguousarray(inputs[name], np.float32) for name in self.inputs}
        batch = next(iter(self.inputs.values()))[0]
        count = len(next(iter(inputs.values())))
        if batch in (-1, count):
            return self._run(inputs)
        parts = []
        for first in range(0, count, batch):
            part = {name: values[first : first + batch] for name, values in inputs.items()}
            missing = batch - len(next(iter(part.values())))
            padded = {name: np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1)) for name, values in part.items()}
            found = self._run(padded)
            parts.append({name: values[: batch - missing] for name, values in found.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def load(path: Path, threads: int = 0) -> Model:
    """The file at `path`, by the runtime that its ending names: .onnx, .xml (OpenVINO) or .tflite (LiteRT).

    threads: 0 for as many as the runtime takes by itself.

    Raises:
      ValueError: no runtime has that ending.
      ImportError: the runtime is not installed.
    """
    try:
        return LOADERS[Path(path).suffix](Path(path), threads)
    except KeyError:
        raise ValueError(f"{path}: a model's file ends in {', '.join(LOADERS)}") from None


def _onnx(path: Path, threads: int) -> Model:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {one.name: tuple(side if isinstance(side, int) else -1 for side in one.shape) for one in session.get_inputs()}
    outputs = [one.name for one in session.get_outputs()]
    return Model(inputs, outputs, lambda given: dict(zip(outputs, session.run(outputs, given), strict=True)))


def _openvino(path: Path, threads: int) -> Model:
    import openvino

    # In the arithmetic that the model was calibrated in, not the fastest of the machine.
    settings = {"INFERENCE_PRECISION_HINT": "f32"} | ({"INFERENCE_NUM_THREADS": threads} if threads else {})
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    inputs = {
        port.get_any_name(): tuple(-1 if side.is_dynamic else side.get_length() for side in port.get_partial_shape())
        for port in compiled.inputs
    }
    # What is the same under two names is one port.
    outputs = [name for port in compiled.outputs for name in port.get_names()]

    def run(given: Outputs) -> Outputs:
        found = compiled(given)
        return {name: np.array(found[name]) for name in outputs}

    return Model(inputs, outputs, run)


def _litert(path: Path, threads: int) -> Model:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads or None)
    (key,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(key)
    inputs = {name: tuple(map(int, about["shape"])) for name, about in runner.get_input_details().items()}
    return Model(inputs, sorted(runner.get_output_details()), lambda given: {k: np.array(v) for k, v in runner(**given).items()})


LOADERS: dict[str, Callable[[Path, int], Model]] = {".onnx": _onnx, ".xml": _openvino, ".tflite": _litert}


def main() -> None:
    """See the module."""
    model, given, written = map(Path, sys.argv[1:])
    with np.load(given, allow_pickle=False) as arrays:
        found = load(model)(**dict(arrays))
    foreign = {"tensorflow", "keras", "fanogan_tf"} & sys.modules.keys()
    if foreign:
        sys.exit(f"{', '.join(sorted(foreign))} was loaded")
    kept: dict = found
    np.savez(written, **kept)


if __name__ == "__main__":
    main()
