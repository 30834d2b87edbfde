"""What a training is fed: endless shuffled batches, a pure function of seed and position.

The samples are passes over the set, each a permutation drawn from (seed, number of the pass) alone. So every pass visits every
image once, and a stream from `start` is what a stream from 0 gives after `start` batches, at no cost.

Images are gathered on the host batch by batch; or, where they fit, lie on the GPU from the start, and only numbers travel.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.pixels import to_signed
from fanogan_tf.random_streams import PassStream

# How many bytes of images are kept on a GPU: some half a million of 32x32, a hundred thousand of 64x64.
DEVICE_BYTES = 2 * 1024**3

# A tensor, or with regions a dict of them.
Batch = Any


class Feed:
    """Batches of one set of images for one training; call it with the number of batches already consumed.

    Args:
      images: the set.
      batch_size: images per batch, every batch; it may exceed the number of images.
      seed: >= 0.
      random_flip: mirror each sample left-right with probability 1/2.
      inputs: what is wanted of each sample: `image`, and perhaps `region`.
      prepare: what becomes of images (B, H, W, 1) in [-1, 1], each by itself, before they are mirrored.
      on_device: keep all images where the training computes.

    Raises:
      ValueError: regions are wanted and there are none.
    """

    def __init__(
        self,
        images: ImageSet,
        batch_size: int,
        seed: int,
        random_flip: bool = False,
        inputs: Sequence[str] = ("image",),
        prepare: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
        on_device: bool = False,
    ):
        if "region" in inputs and images.regions is None:
            raise ValueError("there are no regions")
        self.images, self.batch_size, self.seed, self.random_flip, self.prepare = images, batch_size, seed, random_flip, prepare
        self._sources = [
            pixels for pixels in (images.images, images.regions if "region" in inputs else None) if pixels is not None
        ]
        self._on_device = self._all_prepared() if on_device else None

    def __call__(self, start: int = 0) -> tf.data.Dataset:
        """The batches from number `start` on.

        Elements are what `look_up` takes: here, of images on the host, already what it returns.
        """

        def drawn(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            places, mirrored = tf.numpy_function(self._drawn, [number], [tf.int64, tf.bool], stateful=False)
            return tf.ensure_shape(places, (self.batch_size,)), tf.ensure_shape(mirrored, (self.batch_size,))

        numbers = tf.data.Dataset.range(start, tf.int64.max)
        # Nothing in them is Python's to branch on, and AutoGraph takes a second to find that out.
        element = tf.autograph.experimental.do_not_convert(drawn if self._on_device else self._gathered)
        return numbers.map(element).prefetch(4)

    def look_up(self, element: Batch | tuple[tf.Tensor, tf.Tensor]) -> Batch:
        """From an element to a batch: (batch_size, H, W, 1) float32 in [-1, 1]; with regions a dict, those 0 or 1."""
        if not self._on_device:
            return element
        places, mirrored = element
        parts = [tf.gather(pixels, places) for pixels in self._on_device]
        if self.random_flip:
            parts = [tf.where(mirrored[:, None, None, None], part[:, :, ::-1], part) for part in parts]
        return _batch(parts)

    # One generator per (seed, pass, purpose); a batch seldom needs more than two passes.
    @functools.lru_cache(maxsize=4)  # noqa: B019 - a feed lives as long as its training
    def _pass(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The order of a pass, and which of its samples are mirrored: (N,) each."""
        count = len(self.images)
        order = np.random.default_rng([self.seed, number, PassStream.ORDER]).permutation(count)
        if not self.random_flip:
            return order, np.zeros(count, bool)
        return order, np.random.default_rng([self.seed, number, PassStream.MIRRORED]).random(count) < 0.5

    def _drawn(self, number: np.int64) -> tuple[np.ndarray, np.ndarray]:
        """Where the samples of a batch lie in the set, (B,) int64, and which are mirrored, (B,) bool."""
        first = int(number) * self.batch_size
        passes, positions = np.divmod(np.arange(first, first + self.batch_size), len(self.images))
        drawn = [(self._pass(n), positions[passes == n]) for n in range(passes[0], passes[-1] + 1)]
        places, mirrored = (np.concatenate([values[which][at] for values, at in drawn]) for which in (0, 1))
        return places, mirrored

    def _gathered(self, number: tf.Tensor) -> Batch:
        def gather(number: np.int64) -> list[np.ndarray]:
            places, mirrored = self._drawn(number)
            parts = [np.asarray(source[places]) for source in self._sources]
            for part in parts:
                part[mirrored] = part[mirrored, :, ::-1]
            return parts

        types = [tf.as_dtype(source.dtype) for source in self._sources]
        found = tf.numpy_function(gather, [number], types, stateful=False)
        images, *regions = (tf.ensure_shape(part, (self.batch_size, *self.images.image_shape)) for part in found)
        return _batch([self.prepare(to_signed(images)), *(tf.cast(one, tf.float32) for one in regions)])

    def _all_prepared(self, at_once: int = 256) -> list[tf.Tensor]:
        """All images, and regions where they are wanted, as networks see them: (N, H, W, 1) float32 on the device."""
        parts = [range(first, min(first + at_once, len(self.images))) for first in range(0, len(self.images), at_once)]
        images = np.concatenate([np.asarray(self.prepare(tf.constant(self.images.float_images(part)))) for part in parts])
        regions = [np.asarray(source[np.arange(len(self.images))], np.float32) for source in self._sources[1:]]
        return [tf.constant(pixels) for pixels in (images, *regions)]


def _batch(parts: list[tf.Tensor]) -> Batch:
    return parts[0] if len(parts) == 1 else {"image": parts[0], "region": parts[1]}


def fits_on_gpu(images: ImageSet, inputs: Sequence[str] = ("image",)) -> bool:
    """Whether there is a GPU, one device trains, and all images and regions take at most DEVICE_BYTES of its memory."""
    if not tf.config.list_physical_devices("GPU") or tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return False
    return 4 * len(inputs) * len(images) * int(np.prod(images.image_shape)) <= DEVICE_BYTES
