"""A labelled set of images that stays small: integers in memory or on disk, floats only a batch at a time.

Train, validation and test.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.pixels import to_signed


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with labels, classes, names and perhaps masks.

    images: (N, H, W, 1) uint8 or uint16, an array or a memory-map.
    labels: (N,) int, 0 normal, 1 anomalous, -1 unknown.
    class_names: (N,) str, "" where unknown.
    names: (N,) str, unique.
    masks: (N, H, W, 1) bool or uint8 in 0-1, an array or a memory-map; 1 = anomalous pixel. None if the source has none.

    Raises:
      ValueError: the arrays do not fit together.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: np.ndarray
    names: np.ndarray
    masks: np.ndarray | None = None

    def __post_init__(self):
        if self.images.dtype not in (np.uint8, np.uint16) or self.images.ndim != 4 or self.images.shape[-1] != 1:
            raise ValueError(f"images must be (N, H, W, 1) uint8 or uint16, not {self.images.shape} {self.images.dtype}")
        if not len(self.images) == len(self.labels) == len(self.class_names) == len(self.names):
            raise ValueError("images, labels, class_names and names must be equally many")
        if len(set(self.names.tolist())) != len(self.names):
            raise ValueError("names must be unique")
        if self.masks is not None and self.masks.shape != self.images.shape:
            raise ValueError(f"masks {self.masks.shape} must have the shape of the images {self.images.shape}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 1)."""
        return tuple(self.images.shape[1:])

    def take(self, indices: Sequence[int] | np.ndarray) -> "ImageSet":
        """The images at `indices`, in that order; copies those, and only those, into memory."""
        indices = np.asarray(indices, np.int64)
        return ImageSet(
            images=np.asarray(self.images[indices]),
            labels=self.labels[indices],
            class_names=self.class_names[indices],
            names=self.names[indices],
            masks=None if self.masks is None else np.asarray(self.masks[indices]),
        )

    def float_images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """The images at `indices`: (n, H, W, 1) float32 in [-1, 1]."""
        return to_signed(self.images[np.asarray(indices, np.int64)])

    def batches(self, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
        """All images once, in order; the last batch may be smaller. Two batches are made ahead, in the background.

        Plain dicts of arrays rather than a tf.data.Dataset, the same as `ImageStream.batches`, whose errors must reach the
        consumer as they are. An iterator goes through once: call again for another round.

        Yields:
          image: (b, H, W, 1) float32 in [-1, 1]. label: (b,) int32. class_name, name: (b,) str.
          mask: (b, H, W, 1) float32, 0 or 1; only where the set has masks.
        """
        return ordered_map(
            lambda first: self._batch(slice(first, first + batch_size)), range(0, len(self), batch_size), workers=1, ahead=2
        )

    def _batch(self, part: slice) -> dict[str, np.ndarray]:
        batch = {
            "image": to_signed(self.images[part]),
            "label": self.labels[part].astype(np.int32),
            "class_name": self.class_names[part],
            "name": self.names[part],
        }
        if self.masks is not None:
            batch["mask"] = np.asarray(self.masks[part]).astype(np.float32)
        return batch

    def training_batches(self, batch_size: int, seed: int, start: int = 0, random_flip: bool = False) -> tf.data.Dataset:
        """Endless shuffled batches, a pure function of seed and position.

        The samples are passes over the set, each a permutation drawn from (seed, number of the pass) alone. So every pass
        visits every image once, and a stream from `start` is what a stream from 0 gives after `start` batches, at no cost.

        Args:
          batch_size: images per batch, every batch; it may exceed the number of images.
          seed: >= 0.
          start: number of batches already consumed.
          random_flip: mirror each sample left-right with probability 1/2.

        Returns:
          A dataset of (batch_size, H, W, 1) float32 in [-1, 1].
        """
        count = len(self)

        # One generator per (seed, pass, purpose); a batch seldom needs more than two passes.
        @functools.lru_cache(maxsize=2)
        def order(number: int) -> np.ndarray:
            return np.random.default_rng([seed, number, 0]).permutation(count)

        @functools.lru_cache(maxsize=2)
        def mirrored(number: int) -> np.ndarray:
            return np.random.default_rng([seed, number, 1]).random(count) < 0.5

        def gather(batch_number: np.int64) -> np.ndarray:
            first = int(batch_number) * batch_size
            passes, positions = np.divmod(np.arange(first, first + batch_size), count)
            numbers = range(passes[0], passes[-1] + 1)
            images = self.images[np.concatenate([order(n)[positions[passes == n]] for n in numbers])]
            if random_flip:
                flip = np.concatenate([mirrored(n)[positions[passes == n]] for n in numbers])
                images[flip] = images[flip, :, ::-1]
            return np.asarray(images)

        def load(batch_number: tf.Tensor) -> tf.Tensor:
            images = tf.numpy_function(gather, [batch_number], tf.as_dtype(self.images.dtype), stateful=False)
            return to_signed(tf.ensure_shape(images, (batch_size, *self.image_shape)))

        return tf.data.Dataset.range(start, tf.int64.max).map(load).prefetch(4)


@dataclasses.dataclass(frozen=True)
class Splits:
    """train and validation hold normal images only (label 0); test holds both kinds.

    validation_groups, test_groups: what those images are parts of, such as `PreparedVolume`s; () where there are none.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    validation_groups: tuple = ()
    test_groups: tuple = ()


def hold_out(count: int, fraction: float, seed: int | list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Parts `count` items at random, the same way for the same arguments.

    Returns:
      The kept and the held-out indices, each sorted. At least one is held out, and at least one kept.

    Raises:
      ValueError: fewer than two items.
    """
    if count < 2:
        raise ValueError(f"{count} items cannot be parted in two")
    held = min(max(1, round(count * fraction)), count - 1)
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])
