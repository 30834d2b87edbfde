"""Trains a method on normal images: scripts/train.py --flagfile=flags/digits.flags --run_dir=runs/digits"""

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.distributed import cluster
from fanogan_tf.methods import METHODS, PHASES
from fanogan_tf.methods.gan_phase import kept_options
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "Where the run is kept. Run again with the same one it goes on where it stopped.")
flags.DEFINE_enum("phase", "all", [*PHASES, "all"], "Which of the method's phases to train.")
flags.DEFINE_boolean("overwrite", False, "Delete the run in --run_dir first.")


def main(options, given):
    run, phase, overwrite = RunDirectory(flags.FLAGS.run_dir), flags.FLAGS.phase, flags.FLAGS.overwrite
    with run.locked():
        method = options.method if overwrite or "method" in given else kept_options(run).method
        options = run.begin(options, given, overwrite, calibrates=phase in ("all", METHODS[method].PHASES[-1]))
        pipeline.train(run, options, phase, overwrite)
    if not cluster.is_chief():
        return
    following = "score.py" if run.detector.is_dir() else f"train.py --phase={_after(phase, options.method)}"
    print(f"trained: {run.path}; next: scripts/{following} --run_dir={run.path}")


def _after(phase, method):
    """The phase that comes after `phase`, which is not the last one."""
    phases = METHODS[method].PHASES
    return phases[phases.index(phase) + 1]


if __name__ == "__main__":
    cli.run(main)
