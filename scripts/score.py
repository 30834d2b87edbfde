"""Scores images with a trained run: scripts/score.py --run_dir=runs/digits [--images=PATH ...] [--output=CSV] [--maps=DIR]

Or with an exported model, without its run: scripts/score.py --saved_model=models/digits --images=PATH ... --output=CSV
"""

from pathlib import Path

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.errors import UserError
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "The trained run.")
flags.DEFINE_string("saved_model", "", "Instead of a run: a model that scripts/export.py wrote. Needs --images and --output.")
flags.DEFINE_multi_string("images", [], "Files and folders to score, as many as you like; without it, the data set's test split.")
flags.DEFINE_string("output", "", "The CSV to write. Default: scores.csv in the run, or images.csv there with --images.")
flags.DEFINE_string("maps", "", "Folder for pixel maps, two PNGs per image.")


def main(options, given):
    values = flags.FLAGS
    images, output = [Path(path) for path in values.images], values.output
    if values.saved_model:
        _check_without_run(values)
        count = pipeline.score_exported(Path(values.saved_model), options, given, images, Path(output), values.maps)
    else:
        run = RunDirectory(values.run_dir)
        options = run.options(options, given)
        output = output or (run.path / "images.csv" if images else run.scores)
        count = pipeline.score(run, options, images, Path(output), values.maps)
    print(f"scored {count} images: {output}")


def _check_without_run(values):
    if values.run_dir:
        raise UserError("--saved_model and --run_dir: give one of them")
    if not values.images:
        raise UserError("--saved_model: has no test split of its own; name files or folders with --images")
    if not values.output:
        raise UserError("--saved_model: say with --output which CSV to write")


if __name__ == "__main__":
    cli.run(main, rest="images")
