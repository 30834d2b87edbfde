"""The data sets by their names: the one door from `--dataset` to images."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fanogan_tf.data import chest, folder, one_class
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.image_stream import Cut, ImageStream
from fanogan_tf.detection.regions import RegionFinder, finder_of
from fanogan_tf.errors import UserError
from fanogan_tf.oct import dataset as oct_dataset
from fanogan_tf.oct.groups import Volumes
from fanogan_tf.options import Options
from fanogan_tf.random_streams import Stream


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One source of images.

    Attributes:
      load: (options, cache folder) -> its splits.
      open: (paths that a user names, options, cache folder, (H, W, 1), `ScoresImages.cut`) -> what is scored of them, and its
        groups.
      describe: options -> a few words that say what the data are, as under every figure.
      facts: names of the options that say which images these are, besides those that all data sets read; a report shows them.
      options: names of the other options that it reads, besides those that all data sets read.
      classes: names of the classes one of which is normal, or anomalous; none where labels come otherwise.
      groups: what is reported above the image, such as volumes; None where there is nothing.
    """

    load: Callable[[Options, Path], Splits]
    open: Callable[[Sequence[Path], Options, Path, tuple[int, int, int], Cut], tuple[ImageSet | ImageStream, tuple]]
    describe: Callable[[Options], str]
    facts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    groups: Volumes | None = None


def _open_images(
    paths: Sequence[Path], options: Options, cache_dir: Path, image_shape: tuple[int, int, int], cut: Cut
) -> tuple[ImageStream, tuple]:
    return ImageStream(list(paths), image_shape, options.skip_unreadable, cut), ()


def _open_volumes(
    paths: Sequence[Path], options: Options, cache_dir: Path, image_shape: tuple[int, int, int], cut: Cut
) -> tuple[ImageSet, tuple]:
    volumes, images = oct_dataset.open_volumes(paths, options, Path(options.oct_cache or cache_dir))
    return images, tuple(volumes)


def _digits(options: Options, cache_dir: Path) -> Splits:
    return one_class.digit_splits(options)


def _mnist(options: Options, cache_dir: Path) -> Splits:
    return one_class.mnist_splits(options)


def _load_volumes(options: Options, cache_dir: Path) -> Splits:
    if options.test_images or options.validation_images:
        raise UserError("--test_images, --validation_images: volumes are scored whole; leave them out")
    return oct_dataset.load(options, Path(options.oct_cache or cache_dir))


def _folder(options: Options, cache_dir: Path) -> Splits:
    return folder.load(options, cache_dir, _finder(options))


def _chest(options: Options, cache_dir: Path) -> Splits:
    return chest.load(options, cache_dir, _finder(options))


def _finder(options: Options) -> RegionFinder | None:
    return finder_of(options) if options.region_from else None


def _folder_name(options: Options) -> str:
    return Path(options.data_path).name


def _name(options: Options) -> str:
    return options.dataset


def _phantom(options: Options) -> str:
    return f"synthetic phantom of retinal OCT, {options.phantom_test} test set"


_ORGAN = ("region", "region_from")
_CLASS_OPTIONS = ("normal_class", "anomalous_class")
_OCT_FACTS = ("patches", "oct_columns", "oct_height", "oct_surfaces", "oct_stride")
_OCT_FILES = ("oct_images", "oct_spacing")
_PHANTOM_FACTS = ("phantom_test", "phantom_train_volumes", "phantom_validation_volumes", "phantom_test_volumes", "phantom_bscans")

DATASETS = {
    "digits": Dataset(_digits, _open_images, _name, classes=one_class.CLASS_NAMES["digits"]),
    "mnist": Dataset(_mnist, _open_images, _name, options=("data_path",), classes=one_class.CLASS_NAMES["mnist"]),
    "fashion_mnist": Dataset(_mnist, _open_images, _name, options=("data_path",), classes=one_class.CLASS_NAMES["fashion_mnist"]),
    "folder": Dataset(_folder, _open_images, _folder_name, facts=("patches", "group_by", *_ORGAN), options=("data_path",)),
    "chest_xray": Dataset(_chest, _open_images, _folder_name, facts=_ORGAN, options=("data_path",)),
    "oct": Dataset(
        _load_volumes,
        _open_volumes,
        _folder_name,
        facts=(*_OCT_FILES, *_OCT_FACTS),
        options=("data_path", "oct_cache"),
        groups=Volumes(),
    ),
    "oct_phantom": Dataset(
        _load_volumes,
        _open_volumes,
        _phantom,
        facts=(*_PHANTOM_FACTS, *_OCT_FACTS),
        options=("oct_cache",),
        groups=Volumes(),
    ),
}


def load(options: Options, cache_dir: Path) -> Splits:
    """The images of `options.dataset`, parted in train, validation and test.

    Args:
      cache_dir: where decoded and prepared images are kept for later runs.

    Raises:
      UserError: missing or unusable data, or an option that does not fit the data set.
    """
    dataset = DATASETS[options.dataset]
    if options.patches and "patches" not in dataset.facts:
        raise UserError(f"--patches={options.patches}: only --dataset=folder and oct are cut into patches; leave it out")
    if options.group_by and "group_by" not in dataset.facts:
        raise UserError(f"--group_by={options.group_by}: only images of --dataset=folder are grouped by it; leave it out")
    if (options.region != "none" or options.region_from) and "region" not in dataset.facts:
        raise UserError("--region, --region_from: only films of --dataset=folder and chest_xray are cut; leave them out")
    splits = dataset.load(options, cache_dir)
    return dataclasses.replace(
        splits,
        validation=_at_most(options.validation_images, splits.validation, options.split_seed),
        test=_at_most(options.test_images, splits.test, options.split_seed, options.half_normal),
    )


def _at_most(most: int, images: ImageSet, seed: int, half_normal: bool = False) -> ImageSet:
    """`most` of the images at random, in their order; all where `most` is 0 or there are no more.

    half_normal: of each kind, normal and not, a half; where there are fewer of one kind, more of the other.
    """
    if not 0 < most < len(images):
        return images
    order = np.random.default_rng([seed, Stream.AT_MOST]).permutation(len(images))
    if half_normal:
        # In turns one of each kind, as long as there are both.
        normal = images.labels[order] == 0
        turn = np.where(normal, np.cumsum(normal), np.cumsum(~normal))
        order = order[np.argsort(turn, kind="stable")]
    return images.take(np.sort(order[:most]))


def describe(options: Options) -> str:
    """What the images are, and of data sets of classes which one is normal or anomalous."""
    dataset = DATASETS[options.dataset]
    if not dataset.classes:
        return dataset.describe(options)
    kind = "anomalous" if options.anomalous_class else "normal"
    return f"{dataset.describe(options)}, {kind} class {options.anomalous_class or options.normal_class}"


def facts(options: Options) -> dict[str, object]:
    """Name -> value of the options that say which images these are."""
    dataset = DATASETS[options.dataset]
    which_class = ("anomalous_class",) if options.anomalous_class else ("normal_class",)
    return {name: getattr(options, name) for name in (*(which_class if dataset.classes else ()), *dataset.facts)}


def unread(options: Options, given: frozenset[str]) -> list[str]:
    """Names, sorted, of the given options of the images that `options.dataset` does not read, though another data set does."""
    reads = {name: {*(_CLASS_OPTIONS if one.classes else ()), *one.facts, *one.options} for name, one in DATASETS.items()}
    of_some = frozenset().union(*reads.values())
    return sorted((given & of_some) - reads[options.dataset])
