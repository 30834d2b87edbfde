"""A SavedModel through TensorFlow's C API: TF_LoadSessionFromSavedModel, the loader that TensorFlow Serving uses too.

No Python of TensorFlow's computes anything here; from it come the library's place and the message types.
"""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

# Not with RTLD_GLOBAL, which lets symbols of two libraries clash.
_LIBRARY = ctypes.CDLL(str(Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2"))
_TYPES = {1: np.float32, 10: np.bool_}  # TF_DataType by its number.


class _Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


def _function(name: str, result, *arguments):
    function = getattr(_LIBRARY, name)
    function.restype, function.argtypes = result, arguments
    return function


_new_status = _function("TF_NewStatus", c_void_p)
_code = _function("TF_GetCode", c_int, c_void_p)
_message = _function("TF_Message", c_char_p, c_void_p)
_new_graph = _function("TF_NewGraph", c_void_p)
_new_options = _function("TF_NewSessionOptions", c_void_p)
_operation = _function("TF_GraphOperationByName", c_void_p, c_void_p, c_char_p)
_allocate = _function("TF_AllocateTensor", c_void_p, c_int, POINTER(c_int64), c_int, c_size_t)
_data = _function("TF_TensorData", c_void_p, c_void_p)
_type = _function("TF_TensorType", c_int, c_void_p)
_rank = _function("TF_NumDims", c_int, c_void_p)
_side = _function("TF_Dim", c_int64, c_void_p, c_int)
_load = _function(
    "TF_LoadSessionFromSavedModel",
    c_void_p,
    *(c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p),
)
_run = _function(
    "TF_SessionRun",
    None,
    *(c_void_p, c_void_p, POINTER(_Output), POINTER(c_void_p), c_int, POINTER(_Output), POINTER(c_void_p), c_int),
    *(c_void_p, c_int, c_void_p, c_void_p),
)


def run(folder: Path, signature: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """All outputs of a signature with the one input `image`, float32."""
    status, graph = _new_status(), _new_graph()
    session = _load(_new_options(), None, str(folder).encode(), (c_char_p * 1)(b"serve"), 1, graph, None, status)
    _check(status)
    names = (
        saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0].signature_def[signature]
    )
    outputs = sorted(names.outputs)
    values = (c_void_p * len(outputs))()
    _run(
        *(session, None, byref(_place(graph, names.inputs["image"].name)), byref(c_void_p(_tensor(images))), 1),
        *((_Output * len(outputs))(*(_place(graph, names.outputs[name].name) for name in outputs)), values, len(outputs)),
        *(None, 0, None, status),
    )
    _check(status)
    return {name: _array(value) for name, value in zip(outputs, values, strict=True)}


def _check(status: int) -> None:
    if _code(status):
        raise RuntimeError(_message(status).decode())


def _place(graph: int, name: str) -> _Output:
    operation, index = name.split(":")
    return _Output(_operation(graph, operation.encode()), int(index))


def _tensor(array: np.ndarray) -> int:
    array = np.ascontiguousarray(array, np.float32)
    tensor = _allocate(1, (c_int64 * array.ndim)(*array.shape), array.ndim, array.nbytes)
    ctypes.memmove(_data(tensor), array.ctypes.data, array.nbytes)
    return tensor


def _array(tensor: int) -> np.ndarray:
    shape = tuple(_side(tensor, axis) for axis in range(_rank(tensor)))
    kind = np.dtype(_TYPES[_type(tensor)])
    count = int(np.prod(shape))
    return np.frombuffer(ctypes.string_at(_data(tensor), count * kind.itemsize), kind).reshape(shape)
