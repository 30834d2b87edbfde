"""From `--dataset` to images."""

import dataclasses
from pathlib import Path

import numpy as np

from fanogan_tf.data import folder, one_class
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.errors import UserError
from fanogan_tf.oct import dataset as oct_source
from fanogan_tf.options import Options

OCT = ("oct", "oct_phantom")


def load(options: Options, cache_dir: Path) -> Splits:
    """The images of `options.dataset`, parted in train, validation and test.

    Args:
      cache_dir: where decoded and prepared images are kept for later runs.

    Raises:
      UserError: missing or unusable data, or an option that does not fit the data set.
    """
    if options.dataset in OCT and (options.test_images or options.validation_images):
        raise UserError("--test_images, --validation_images: volumes are scored whole; leave them out")
    splits = _load(options, cache_dir)
    return dataclasses.replace(
        splits,
        validation=_at_most(options.validation_images, splits.validation, options.split_seed),
        test=_at_most(options.test_images, splits.test, options.split_seed),
    )


def _at_most(most: int, images: ImageSet, seed: int) -> ImageSet:
    """`most` of the images at random, in their order; all where `most` is 0 or there are no more."""
    if not 0 < most < len(images):
        return images
    return images.take(np.sort(np.random.default_rng([seed, 4]).permutation(len(images))[:most]))


def _load(options: Options, cache_dir: Path) -> Splits:
    if options.patches and options.dataset not in ("folder", *OCT):
        raise UserError(f"--patches={options.patches}: only --dataset=folder and oct are cut into patches; leave it out")
    if options.dataset == "digits":
        return one_class.digit_splits(options)
    if options.dataset in ("mnist", "fashion_mnist"):
        return one_class.mnist_splits(options)
    if options.dataset in OCT:
        return oct_source.load(options, Path(options.oct_cache or cache_dir))
    return folder.load(options, Path(cache_dir))
