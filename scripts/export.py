"""Exports a trained run for TensorFlow Serving: scripts/export.py --run_dir=runs/digits --output=models/digits [--version=N]"""

from pathlib import Path

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.errors import UserError
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "The trained run.")
flags.DEFINE_string("output", "", "The model's folder; each version is a folder with a number in it.")
flags.DEFINE_integer("version", 0, "Number of this version, which must be free; 0: the one after the highest.", lower_bound=0)


def main(options, given):
    run = RunDirectory(flags.FLAGS.run_dir)
    if not flags.FLAGS.output:
        raise UserError("--output: say in which folder the model's versions are kept, as in --output=models/first")
    path = pipeline.export(run, run.options(options, given), Path(flags.FLAGS.output), flags.FLAGS.version)
    print(f"exported: {path}; next: scripts/verify_export.py --model={path} --run_dir={run.path}")


if __name__ == "__main__":
    cli.run(main)
