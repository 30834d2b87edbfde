"""Labelled images that stay small, integers in memory or on disk and floats a batch at a time; and their splits."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.patches import PatchArray
from fanogan_tf.data.pixels import to_signed
from fanogan_tf.errors import UserError

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
