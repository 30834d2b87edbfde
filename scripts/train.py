"""Trains a method on normal images: scripts/train.py --flagfile=flags/digits.flags --run_dir=runs/digits"""

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "Where the run is kept. Run again with the same one it goes on where it stopped.")
flags.DEFINE_enum("phase", "all", ["gan", "encoder", "all"], "Which phase to train.")
flags.DEFINE_boolean("overwrite", False, "Delete the run in --run_dir first.")


def main(options, given):
    run = RunDirectory(flags.FLAGS.run_dir)
    with run.locked():
        options = run.begin(options, given, flags.FLAGS.overwrite, calibrates=flags.FLAGS.phase != "gan")
        pipeline.train(run, options, flags.FLAGS.phase, flags.FLAGS.overwrite)
    following = "train.py --phase=encoder" if flags.FLAGS.phase == "gan" else "score.py"
    print(f"trained: {run.path}; next: scripts/{following} --run_dir={run.path}")


if __name__ == "__main__":
    cli.run(main)
