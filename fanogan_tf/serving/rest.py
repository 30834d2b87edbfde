"""TensorFlow Serving's REST protocol: JSON to tensors, and back.

A request is {"instances": [...]} in rows or {"inputs": ...} in columns, with or without "signature_name"; the answer has
"predictions" or "outputs". Encoded images are {"b64": "..."}.
"""

import base64
import binascii
import dataclasses

import numpy as np
import tensorflow as tf

from fanogan_tf.serving.saved_model import ServedDetector

_KEYS = {"instances", "inputs", "signature_name"}


class BadRequest(ValueError):
    """What is wrong with a request, in one line for the one who sent it."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
      signature: its name.
      values: its inputs by name, the batch first, of one length.
      in_rows: how it was asked, and is to be answered.
    """

    signature: str
    values: dict[str, np.ndarray]
    in_rows: bool

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def part(self, rows: slice) -> dict[str, np.ndarray]:
        """Some of the values."""
        return {name: values[rows] for name, values in self.values.items()}


def parse(served: ServedDetector, payload: object) -> Request:
    """What a request asks for.

    Raises:
      BadRequest: it does not follow the protocol, or its values do not fit the signature.
    """
    if not isinstance(payload, dict):
        raise BadRequest('the request must be a JSON object with "instances" or "inputs"')
    if unknown := sorted(payload.keys() - _KEYS):
        raise BadRequest(f"unknown key {unknown[0]!r}; a request has instances or inputs, and perhaps signature_name")
    if ("instances" in payload) == ("inputs" in payload):
        raise BadRequest('the request must have either "instances" or "inputs"')
    signature = payload.get("signature_name", "serving_default")
    if not isinstance(signature, str) or signature not in served.inputs:
        raise BadRequest(f"no signature {signature!r}; there are {', '.join(sorted(served.inputs))}")
    specs = served.inputs[signature]
    in_rows = "instances" in payload
    if in_rows:
        rows = payload["instances"]
        if not isinstance(rows, list):
            raise BadRequest("instances must be a list")
        named = [_named(row, specs, "an instance") for row in rows]
        columns: dict[str, object] = {name: [row[name] for row in named] for name in specs}
    else:
        columns = _named(payload["inputs"], specs, "inputs")
    values = {name: (_strings if spec.dtype == tf.string else _numbers)(columns[name], spec) for name, spec in specs.items()}
    if len({len(each) for each in values.values()}) > 1:
        raise BadRequest(f"inputs: {', '.join(values)} must be equally many")
    return Request(signature, values, in_rows)


def _named(value: object, specs: dict[str, tf.TensorSpec], what: str) -> dict[str, object]:
    """The inputs by name; where there is one, its name may be left out."""
    if len(specs) == 1 and (not isinstance(value, dict) or value.keys() == {"b64"}):
        return dict.fromkeys(specs, value)
    names = " and ".join(map(repr, specs))
    if not isinstance(value, dict) or value.keys() != specs.keys():
        has = ", ".join(map(repr, sorted(value))) or "nothing" if isinstance(value, dict) else "no names"
        raise BadRequest(f"{what} has {has}; the input{' is' if len(specs) == 1 else 's are'} {names}")
    return value


def _strings(values: object, spec: tf.TensorSpec) -> np.ndarray:
    if not isinstance(values, list):
        raise BadRequest(f"{spec.name}: expected a list")
    if not all(isinstance(value, dict) and isinstance(value.get("b64"), str) for value in values):
        raise BadRequest(f'{spec.name}: every image must be {{"b64": "..."}}, its file in base64')
    try:
        decoded = [base64.b64decode(value["b64"], validate=True) for value in values]
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{spec.name}: no base64 ({error})") from error
    return np.array(decoded, object)


def _numbers(values: object, spec: tf.TensorSpec) -> np.ndarray:
    expected = ("batch", *spec.shape[1:])
    try:
        array = np.array(values)
    except ValueError as error:
        raise BadRequest(f"{spec.name}: rows of different lengths; expected {_text(expected)}") from error
    if array.shape == (0,):
        array = np.empty((0, *spec.shape[1:]))
    if array.dtype.kind not in "iuf":
        raise BadRequest(f"{spec.name}: expected numbers, {_text(expected)}")
    if array.ndim != len(expected) or array.shape[1:] != expected[1:]:
        raise BadRequest(f"{spec.name}: expected {_text(expected)}, got {_text(array.shape)}")
    return array.astype(np.float32)


def _text(shape: tuple) -> str:
    return f"({', '.join(map(str, shape))})"


def run(served: ServedDetector, signature: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs for some of a request's values.

    Raises:
      BadRequest: the graph refuses them: broken images, grey levels out of range.
    """
    specs = served.inputs[signature]
    try:
        return served.run(signature, **{name: tf.constant(each, specs[name].dtype) for name, each in values.items()})
    except tf.errors.InvalidArgumentError as error:
        raise BadRequest(_reason(error.message)) from error
    except ValueError as error:  # Of a model file, which checks before its graph.
        raise BadRequest(str(error)) from error


def _reason(message: str) -> str:
    """What an operation or an assertion said, without where in the graph that was."""
    *_, line = message.split("\n\t [[")[0].splitlines()
    return line.split("}}")[-1].strip().removeprefix("assertion failed: [").removesuffix("]")


def answer(request: Request, outputs: dict[str, np.ndarray]) -> dict:
    """What goes back as JSON, its numbers still NumPy's. A lone output goes without its name."""
    if not request.in_rows:
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    if len(outputs) == 1:
        return {"predictions": list(next(iter(outputs.values())))}
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]}
