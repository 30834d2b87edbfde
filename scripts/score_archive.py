"""Scores archives with an exported model on Apache Beam: scripts/score_archive.py --saved_model=DIR --images=PATH --output=DIR

Flags that are none of these go to Beam: --runner=FlinkRunner, --direct_num_workers=2 --direct_running_mode=multi_processing, ...
"""

import logging

from absl import flags

from fanogan_tf import cli, errors
from fanogan_tf.errors import UserError

flags.DEFINE_string("saved_model", "", "A version that scripts/export.py wrote.")
flags.DEFINE_multi_string("images", [], "Files and folders to score, as many as you like: images, or volumes for a model of OCT.")
flags.DEFINE_string("output", "", "The folder to make for the scores.")
flags.DEFINE_enum("format", "csv", ["csv", "parquet"], "Of the tables.")
flags.DEFINE_multi_string("beam", [], "A flag for Beam, where ours has the same name: --beam=--seed=1.")


def main(options, given):
    values = flags.FLAGS
    for name in ("saved_model", "images", "output"):
        if not values[name].value:
            raise UserError(f"--{name}: has to be given; see --help")
    logging.getLogger().setLevel(logging.ERROR)  # Beam warns of what it does not find when it is imported.
    errors.need("apache_beam", "archive", "scripts/score_archive.py")
    from fanogan_tf.archive.pipeline import score_archive

    print(score_archive(values.saved_model, values.images, values.output, values.format, options, given, values.beam))


if __name__ == "__main__":
    cli.run(main, rest="images", foreign="beam")
