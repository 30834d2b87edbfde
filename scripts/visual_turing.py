"""Mixes real and generated images on a sheet for an expert to tell apart: scripts/visual_turing.py --run_dir=R --output=DIR"""

from pathlib import Path

from absl import flags

from fanogan_tf import cli, pipeline
from fanogan_tf.errors import UserError
from fanogan_tf.run_directory import RunDirectory

flags.DEFINE_string("run_dir", "", "The trained run.")
flags.DEFINE_string("output", "", "Folder for sheet.png, which the expert gets, and key.csv, which the expert does not.")
flags.DEFINE_integer("images_per_kind", 50, "How many real images, and how many generated ones.", lower_bound=1)


def main(options, given):
    values = flags.FLAGS
    run = RunDirectory(values.run_dir)
    if not values.output:
        raise UserError("--output: say in which folder sheet.png and key.csv are put")
    options = run.options(options, given)
    print(pipeline.visual_turing(run, options, Path(values.output), values.images_per_kind))


if __name__ == "__main__":
    cli.run(main)
