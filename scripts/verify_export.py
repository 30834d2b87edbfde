"""Checks that an exported model gives the run's scores: scripts/verify_export.py --model=models/digits --run_dir=runs/digits"""

from pathlib import Path

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.errors import UserError
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("model", "", "The exported model: one version's folder, or the folder of all, whose newest is taken.")
flags.DEFINE_string("run_dir", "", "The run that it was exported from.")


def main(options, given):
    run = RunDirectory(flags.FLAGS.run_dir)
    if not flags.FLAGS.model:
        raise UserError("--model: say which exported model is checked, as in --model=models/first")
    print(pipeline.verify_export(run, run.options(options, given), Path(flags.FLAGS.model)))


if __name__ == "__main__":
    cli.run(main)
