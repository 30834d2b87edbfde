"""The commands that train: run, train, reproduce."""

import sys

from absl import flags

from fanogan_tf.commands.command import Command
from fanogan_tf.distributed import cluster
from fanogan_tf.errors import starting
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

_RUN_DIR = "Where the run is kept. Run again with the same one, it goes on where it stopped."


def run(options: Options, given: frozenset[str]) -> None:
    """Trains, scores and reports in a row.

    fanogan run --flagfile=digits --run_dir=runs/digits
    """
    run = RunDirectory(flags.FLAGS.run_dir)
    with run.locked():
        options = run.begin(options, given, flags.FLAGS.overwrite)
        with starting():
            from fanogan_tf import pipeline
        _note_what_means_nothing(options, given)
        pipeline.train(run, options, "all", flags.FLAGS.overwrite)
        if not cluster.is_chief():
            return
        pipeline.score(run, options, images=[], output=run.scores)
        _examine(run, options)
        print(pipeline.evaluate(run, options))


def _run_flags() -> None:
    flags.DEFINE_string("run_dir", "", _RUN_DIR)
    flags.DEFINE_boolean("overwrite", False, "Delete the run in --run_dir first.")


def train(options: Options, given: frozenset[str]) -> None:
    """Trains a method on normal images.

    fanogan train --flagfile=digits --run_dir=runs/digits
    """
    run, phase, overwrite = RunDirectory(flags.FLAGS.run_dir), flags.FLAGS.phase, flags.FLAGS.overwrite
    with run.locked():
        method = options.method if overwrite or "method" in given else run.kept_options().method
        with starting():
            from fanogan_tf import pipeline
            from fanogan_tf.methods import METHODS
        phases = METHODS[method].PHASES
        options = run.begin(options, given, overwrite, calibrates=phase in ("all", phases[-1]))
        _note_what_means_nothing(options, given)
        pipeline.train(run, options, phase, overwrite)
    if cluster.is_chief():
        if run.detector.is_dir():
            _examine(run, options)
        following = "score" if run.detector.is_dir() else f"train --phase={phases[phases.index(phase) + 1]}"
        print(f"trained: {run.path}; next: fanogan {following} --run_dir={run.path}")


def _train_flags() -> None:
    _run_flags()
    flags.DEFINE_string("phase", "all", "Which of the method's phases to train, such as gan or encoder; all: every one.")


def _examine(run: RunDirectory, options: Options) -> None:
    """Says what the doctor finds wrong with a run that has just been trained."""
    from fanogan_tf import doctor
    from fanogan_tf.evaluation import diagnosis

    verdicts = doctor.examine(run, options)
    for verdict in diagnosis.problems(verdicts):
        print(f"doctor: {verdict}", file=sys.stderr)
    print(f"doctor: {len(verdicts)} checks, {len(diagnosis.problems(verdicts))} problems; fanogan doctor --run_dir={run.path}")


def _note_what_means_nothing(options: Options, given: frozenset[str]) -> None:
    """Says in one line which of the given options the method and the data set do not read."""
    from fanogan_tf import pipeline

    for reader, names in pipeline.unread(options, given).items():
        print(f"note: {reader} does not read {', '.join(f'--{name}' for name in names)}", file=sys.stderr)


def reproduce(options: Options, given: frozenset[str]) -> None:
    """Trains what is missing and writes the papers' tables.

    fanogan reproduce --flagfile=mnist --run_dir=runs/tables

    --normal_class=all, or 0,1,5,8, takes the classes in turn; --anomalous_class=all is the opposite protocol.
    """
    values = flags.FLAGS
    root = RunDirectory(values.run_dir)
    with starting():
        from fanogan_tf.comparison import report, runs
    jobs = runs.plan(root.path, options, values.methods, values.seeds, values.searched_images)
    with root.locked():
        if values.train:
            runs.train_and_score(jobs)
        print(report.report(root.report, jobs))


def _reproduce_flags() -> None:
    flags.DEFINE_string(
        "run_dir", "", "Where all runs and report/ are kept. Run again with the same one, it goes on where it stopped."
    )
    flags.DEFINE_list("methods", [], "What to compare, with commas in between; empty: everything.")
    flags.DEFINE_integer("seeds", 1, "How many seeds, from --seed on.", lower_bound=1)
    flags.DEFINE_integer(
        "searched_images",
        0,
        "At most this many test images, and a quarter as many held-out ones, for methods that look for z image by image; 0: all.",
        lower_bound=0,
    )
    flags.DEFINE_boolean("train", True, "Train and score what is missing; --train=false only makes tables of what is there.")


RUN = Command(run, _run_flags)
TRAIN = Command(train, _train_flags)
REPRODUCE = Command(reproduce, _reproduce_flags)
