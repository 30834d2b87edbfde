"""Trains, scores and reports in a row: scripts/run.py --flagfile=flags/digits.flags --run_dir=runs/digits"""

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.distributed import cluster
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "Where the run is kept. Run again with the same one it goes on where it stopped.")
flags.DEFINE_boolean("overwrite", False, "Delete the run in --run_dir first.")


def main(options, given):
    run = RunDirectory(flags.FLAGS.run_dir)
    with run.locked():
        options = run.begin(options, given, flags.FLAGS.overwrite)
        pipeline.train(run, options, "all", flags.FLAGS.overwrite)
        if not cluster.is_chief():
            return
        pipeline.score(run, options, images=[], output=run.scores)
        print(pipeline.evaluate(run, options))


if __name__ == "__main__":
    cli.run(main)
