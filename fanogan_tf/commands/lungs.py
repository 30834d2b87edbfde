"""The commands around the finder of lungs: lungs train, lungs segment."""

import sys
from pathlib import Path

from absl import flags

from fanogan_tf.commands.command import Command
from fanogan_tf.errors import UserError, starting
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


def train(options: Options, given: frozenset[str]) -> None:
    """Trains a finder of lungs on films with masks.

    fanogan lungs train --flagfile=lungs --data_path=DIR --run_dir=runs/lungs

    The films are a data set with regions: train_normal/ and train_regions/ of --dataset=folder, or one of --dataset=chest_xray
    that has masks. Other runs take it by --region_from=runs/lungs.
    """
    run = RunDirectory(flags.FLAGS.run_dir)
    with run.locked():
        options = run.begin(options, given, flags.FLAGS.overwrite)
        with starting():
            from fanogan_tf.lungs import training
        unread = sorted(given - training.OPTIONS)
        if unread:
            print(f"note: lungs train does not read {', '.join(f'--{name}' for name in unread)}", file=sys.stderr)
        found = training.train(run, options, flags.FLAGS.overwrite)
    print(training.summary(found))
    print(f"trained: {run.path}; next: fanogan train --region=crop --region_from={run.path} ...")


def _train_flags() -> None:
    flags.DEFINE_string("run_dir", "", "Where the finder is kept. Run again with the same one, it goes on where it stopped.")
    flags.DEFINE_boolean("overwrite", False, "Delete what is in --run_dir first.")


def segment(options: Options, given: frozenset[str]) -> None:
    """Writes masks of the lungs of films.

    fanogan lungs segment --run_dir=runs/lungs --images=PATH ... --output=DIR
    """
    values = flags.FLAGS
    if not values.images:
        raise UserError("--images: name the films, files or folders")
    if not values.output:
        raise UserError("--output: say in which folder the masks are put")
    with starting():
        from fanogan_tf.detection import regions
        from fanogan_tf.lungs import segment
    finder = regions.RegionFinder.load(RunDirectory(values.run_dir).path / regions.FOLDER)
    count, unfit = segment.segment(finder, [Path(path) for path in values.images], Path(values.output))
    print(f"lungs of {count - len(unfit)} of {count} films: {values.output}")
    for reason in unfit:
        print(f"left out: {reason}")


def _segment_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained finder.")
    flags.DEFINE_multi_string("images", [], "Films, files and folders, as many as you like.")
    flags.DEFINE_string("output", "", "Folder for the masks and for pictures to look at.")


TRAIN = Command(train, _train_flags, scopes=("images", "networks", "training", "running"))
SEGMENT = Command(segment, _segment_flags, scopes=(), rest="images")
