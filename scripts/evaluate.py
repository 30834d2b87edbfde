"""Writes the report of a scored run: scripts/evaluate.py --run_dir=runs/digits"""

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "The trained and scored run.")


def main(options, given):
    run = RunDirectory(flags.FLAGS.run_dir)
    print(pipeline.evaluate(run, run.options(options, given)))


if __name__ == "__main__":
    cli.run(main)
