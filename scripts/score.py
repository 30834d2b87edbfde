"""Scores images with a trained run: scripts/score.py --run_dir=runs/digits [--images=PATH ...] [--output=CSV] [--maps=DIR]"""

from pathlib import Path

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "The trained run.")
flags.DEFINE_multi_string("images", [], "Files and folders to score, as many as you like; without it, the data set's test split.")
flags.DEFINE_string("output", "", "The CSV to write. Default: scores.csv in the run, or images.csv there with --images.")
flags.DEFINE_string("maps", "", "Folder for pixel maps, two PNGs per image.")


def main(options, given):
    run = RunDirectory(flags.FLAGS.run_dir)
    options = run.options(options, given)
    images, output = flags.FLAGS.images, flags.FLAGS.output
    if not output:
        output = run.path / "images.csv" if images else run.scores
    count = pipeline.score(run, options, [Path(path) for path in images], Path(output), flags.FLAGS.maps)
    print(f"scored {count} images: {output}")


if __name__ == "__main__":
    cli.run(main, rest="images")
