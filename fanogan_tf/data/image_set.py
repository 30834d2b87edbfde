"""Labelled images that stay small, integers in memory or on disk and floats a batch at a time; and their splits."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.patches import PatchArray
from fanogan_tf.data.pixels import to_signed
from fanogan_tf.errors import UserError
from fanogan_tf.random_streams import PassStream

Pixels = np.ndarray | PatchArray


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with labels, classes and names, and what else the source knows of them: each of the rest is None where it does not.

    Attributes:
      images: (N, H, W, 1) uint8 or uint16, an array or a memory-map.
      labels: (N,) int, 0 normal, 1 anomalous, -1 unknown.
      class_names: (N,) str, "" where unknown.
      names: (N,) str, unique.
      masks: (N, H, W, 1) bool or uint8 in 0-1, an array or a memory-map; 1 = anomalous pixel.
      regions: the same; 1 = pixel of the organ.
      groups: (N,) str, what an image belongs to: the volume that it was cut from, the patient.
      places: (N, 3) int, where a patch was cut from its volume: B-scan, top row, left column.

    Raises:
      ValueError: the arrays do not fit together.
    """

    images: Pixels
    labels: np.ndarray
    class_names: np.ndarray
    names: np.ndarray
    masks: Pixels | None = None
    regions: Pixels | None = None
    groups: np.ndarray | None = None
    places: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.dtype not in (np.uint8, np.uint16) or self.images.ndim != 4 or self.images.shape[-1] != 1:
            raise ValueError(f"images must be (N, H, W, 1) uint8 or uint16, not {self.images.shape} {self.images.dtype}")
        if not len(self.images) == len(self.labels) == len(self.class_names) == len(self.names):
            raise ValueError("images, labels, class_names and names must be equally many")
        if len(set(self.names.tolist())) != len(self.names):
            raise ValueError("names must be unique")
        for name, pixels in (("masks", self.masks), ("regions", self.regions)):
            if pixels is not None and pixels.shape != self.images.shape:
                raise ValueError(f"{name} {pixels.shape} must have the shape of the images {self.images.shape}")
        for name, column in (("groups", self.groups), ("places", self.places)):
            if column is not None and len(column) != len(self.images):
                raise ValueError(f"{name} must be as many as the images, {len(self.images)}, not {len(column)}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 1)."""
        return tuple(self.images.shape[1:])

    def take(self, indices: Sequence[int] | np.ndarray) -> "ImageSet":
        """The images at `indices`, in that order; copies those, and only those, into memory."""
        indices = np.asarray(indices, np.int64)
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        taken: dict[str, Any] = {
            name: None if column is None else np.asarray(column[indices]) for name, column in columns.items()
        }
        return ImageSet(**taken)

    def float_images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """The images at `indices`: (n, H, W, 1) float32 in [-1, 1]."""
        return to_signed(self.images[np.asarray(indices, np.int64)])

    def inputs(self, indices: Sequence[int] | np.ndarray, names: Sequence[str] = ("image",)) -> tuple[np.ndarray, ...]:
        """What a detector takes of the images at `indices`: columns of a batch, by their names.

        Raises:
          UserError: the source does not have one of them.
        """
        return inputs_of(self._batch(np.asarray(indices, np.int64)), names)

    def batches(self, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
        """All images once, in order; the last batch may be smaller. Two batches are made ahead, in the background.

        Plain dicts of arrays rather than a tf.data.Dataset, the same as `ImageStream.batches`, whose errors must reach the
        consumer as they are. An iterator goes through once: call again for another round.

        Yields:
          image: (b, H, W, 1) float32 in [-1, 1]. label: (b,) int32. class_name, name: (b,) str.
          mask, region: (b, H, W, 1) float32, 0 or 1; group: (b,) str; each only where the set has them.
        """
        return ordered_map(
            lambda first: self._batch(slice(first, first + batch_size)), range(0, len(self), batch_size), workers=1, ahead=2
        )

    def _batch(self, part: slice | np.ndarray) -> dict[str, np.ndarray]:
        batch = {
            "image": to_signed(self.images[part]),
            "label": self.labels[part].astype(np.int32),
            "class_name": self.class_names[part],
            "name": self.names[part],
        }
        for name, pixels in (("mask", self.masks), ("region", self.regions)):
            if pixels is not None:
                batch[name] = np.asarray(pixels[part]).astype(np.float32)
        if self.groups is not None:
            batch["group"] = self.groups[part]
        return batch

    def training_batches(
        self, batch_size: int, seed: int, start: int = 0, random_flip: bool = False, inputs: Sequence[str] = ("image",)
    ) -> tf.data.Dataset:
        """Endless shuffled batches, a pure function of seed and position.

        The samples are passes over the set, each a permutation drawn from (seed, number of the pass) alone. So every pass
        visits every image once, and a stream from `start` is what a stream from 0 gives after `start` batches, at no cost.

        Args:
          batch_size: images per batch, every batch; it may exceed the number of images.
          seed: >= 0.
          start: number of batches already consumed.
          random_flip: mirror each sample left-right with probability 1/2.
          inputs: what is wanted of each sample: `image`, and perhaps `region`.

        Returns:
          A dataset of (batch_size, H, W, 1) float32 in [-1, 1]; with regions, of dicts by the names of `inputs`, regions 0 or 1.

        Raises:
          ValueError: regions are wanted and there are none.
        """
        count, sources = len(self), [self.images]
        if "region" in inputs:
            if self.regions is None:
                raise ValueError("there are no regions")
            sources.append(self.regions)

        # One generator per (seed, pass, purpose); a batch seldom needs more than two passes.
        @functools.lru_cache(maxsize=2)
        def order(number: int) -> np.ndarray:
            return np.random.default_rng([seed, number, PassStream.ORDER]).permutation(count)

        @functools.lru_cache(maxsize=2)
        def mirrored(number: int) -> np.ndarray:
            return np.random.default_rng([seed, number, PassStream.MIRRORED]).random(count) < 0.5

        def gather(batch_number: np.int64) -> list[np.ndarray]:
            first = int(batch_number) * batch_size
            passes, positions = np.divmod(np.arange(first, first + batch_size), count)
            numbers = range(passes[0], passes[-1] + 1)
            chosen = np.concatenate([order(n)[positions[passes == n]] for n in numbers])
            parts = [np.asarray(source[chosen]) for source in sources]
            if random_flip:
                flip = np.concatenate([mirrored(n)[positions[passes == n]] for n in numbers])
                for part in parts:
                    part[flip] = part[flip, :, ::-1]
            return parts

        def load(batch_number: tf.Tensor) -> tf.Tensor | dict[str, tf.Tensor]:
            types = [tf.as_dtype(source.dtype) for source in sources]
            parts = tf.numpy_function(gather, [batch_number], types, stateful=False)
            images, *regions = (tf.ensure_shape(part, (batch_size, *self.image_shape)) for part in parts)
            if not regions:
                return to_signed(images)
            return {"image": to_signed(images), "region": tf.cast(regions[0], tf.float32)}

        return tf.data.Dataset.range(start, tf.int64.max).map(load).prefetch(4)


def inputs_of(batch: dict[str, np.ndarray], names: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Takes a batch apart: the columns that a detector takes (`Detector.INPUTS`), in their order.

    Raises:
      UserError: the batch does not have one of them.
    """
    missing = [name for name in names if name not in batch]
    if missing:
        raise UserError(f"this method needs a {missing[0]} for every image, and these images have none; see --dataset=folder")
    return tuple(batch[name] for name in names)


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
