"""From `--dataset` to images."""

from pathlib import Path

from fanogan_tf.data import digits, folder, mnist
from fanogan_tf.data.oct import source as oct_source
from fanogan_tf.data.splits import Splits
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

OCT = ("oct", "oct_phantom")


def load(options: Options, cache_dir: Path) -> Splits:
    """The images of `options.dataset`, parted in train, validation and test.

    Args:
      cache_dir: where decoded and prepared images are kept for later runs.

    Raises:
      UserError: missing or unusable data, or an option that does not fit the data set.
    """
    if options.patches and options.dataset not in ("folder", *OCT):
        raise UserError(f"--patches={options.patches}: only --dataset=folder and oct are cut into patches; leave it out")
    if options.dataset == "digits":
        return digits.load(options)
    if options.dataset in ("mnist", "fashion_mnist"):
        return mnist.load(options)
    if options.dataset in OCT:
        return oct_source.load(options, Path(options.oct_cache or cache_dir))
    return folder.load(options, Path(cache_dir))
