"""The commands for exported models: export, verify_export, serve."""

from pathlib import Path

from absl import flags

from fanogan_tf.commands.command import Command
from fanogan_tf.errors import UserError, starting
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


def export(options: Options, given: frozenset[str]) -> None:
    """Exports a trained run for TensorFlow Serving, or as a file for another runtime.

    fanogan export --run_dir=runs/digits --output=models/digits [--version=N]
    fanogan export --run_dir=runs/digits --output=models/digits.onnx --format=onnx [--weights=int8]
    """
    values = flags.FLAGS
    run = RunDirectory(values.run_dir)
    if not values.output:
        raise UserError("--output: say in which folder the model's versions are kept, as in --output=models/first")
    if values.format == "saved_model" and values.weights != "float32":
        raise UserError(f"--weights={values.weights}: a SavedModel has float32; take another --format")
    options = run.options(options, given)
    with starting():
        from fanogan_tf import pipeline
    path = pipeline.export(run, options, Path(values.output), values.version, kind=values.format, weights=values.weights)
    print(f"exported: {path}; next: fanogan verify_export --model={path} --run_dir={run.path}")


def _export_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained run.")
    flags.DEFINE_string("output", "", "The model's folder; each version is a folder with a number in it.")
    flags.DEFINE_enum(
        "format", "saved_model", ["saved_model", "onnx", "openvino", "litert"], "A SavedModel, or a file: .onnx, .xml or .tflite."
    )
    flags.DEFINE_enum(
        "weights",
        "float32",
        ["float32", "float16", "int8"],
        "Of a file: smaller ones cost some accuracy, which verify_export tells.",
    )
    flags.DEFINE_integer("version", 0, "Number of this version, which must be free; 0: the one after the highest.", lower_bound=0)


def verify_export(options: Options, given: frozenset[str]) -> None:
    """Checks that an exported model gives the run's scores.

    fanogan verify_export --model=models/digits --run_dir=runs/digits
    """
    values = flags.FLAGS
    run = RunDirectory(values.run_dir)
    if not values.model:
        raise UserError("--model: say which exported model is checked, as in --model=models/first")
    options = run.options(options, given)
    with starting():
        from fanogan_tf import pipeline
    print(pipeline.verify_export(run, options, Path(values.model)))


def _verify_export_flags() -> None:
    flags.DEFINE_string(
        "model", "", "The exported model: a version's folder, the folder of all (the newest is taken), or a file."
    )
    flags.DEFINE_string("run_dir", "", "The run that it was exported from.")


def serve(options: Options, given: frozenset[str]) -> None:
    """Serves an exported model over HTTP, for trials and small machines.

    fanogan serve --model=models/digits --port=8501
    """
    values = flags.FLAGS
    if not values.model:
        raise UserError("--model: say which exported model is served, as in --model=models/first")
    with starting():
        from fanogan_tf.serving import http_server
    http_server.serve(Path(values.model), values.name, values.host, values.port)


def _serve_flags() -> None:
    flags.DEFINE_string(
        "model", "", "The exported model: a version's folder, the folder of all (the newest is served), or a file."
    )
    flags.DEFINE_string("name", "", "The model's name in the address. Without it, the folder's.")
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on. There is no password: leave it unless the network is yours.")
    flags.DEFINE_integer("port", 8501, "Port to listen on; 0: any that is free.", lower_bound=0, upper_bound=65535)


EXPORT = Command(export, _export_flags, scopes=("running",))
VERIFY_EXPORT = Command(verify_export, _verify_export_flags, scopes=("running",))
SERVE = Command(serve, _serve_flags, scopes=())
