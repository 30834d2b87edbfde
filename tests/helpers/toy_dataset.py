"""A data set in one file: what the tests add by registering it, as a user would in `DATASETS`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.image_stream import Cut, ImageStream
from fanogan_tf.datasets import Dataset
from fanogan_tf.options import Options


def _stripes(count: int, seed: int, labels: Sequence[int], prefix: str) -> ImageSet:
    """Vertical stripes are normal, horizontal ones are not; each three images are of one machine."""
    random = np.random.default_rng(seed)
    stripes = np.tile(np.where(np.arange(8) % 2, 200, 50), (8, 1))
    images = np.stack([stripes.T if label else stripes for label in labels]) + random.integers(-20, 20, (count, 8, 8))
    return ImageSet(
        images=images.astype(np.uint8)[..., None],
        labels=np.array(labels, np.int32),
        class_names=np.array(["horizontal" if label else "vertical" for label in labels]),
        names=np.array([f"{prefix}/{number}" for number in range(count)]),
        groups=np.array([f"{prefix} machine {number // 3}" for number in range(count)]),
    )


def load(options: Options, cache_dir: Path) -> Splits:
    seed = options.split_seed
    train = _stripes(30, seed, [0] * 30, "train")
    return Splits(train, _stripes(12, seed + 1, [0] * 12, "validation"), _stripes(10, seed + 2, [0] * 5 + [1] * 5, "test"))


def open_paths(
    paths: Sequence[Path], options: Options, cache_dir: Path, image_shape: tuple[int, int, int], cut: Cut
) -> tuple[ImageStream, tuple]:
    return ImageStream(list(paths), image_shape, options.skip_unreadable, cut), ()


STRIPES = Dataset(load=load, open=open_paths, describe=lambda options: "synthetic stripes")
