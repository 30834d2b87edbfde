"""Train, validation and test."""

import dataclasses

import numpy as np

from fanogan_tf.data.image_set import ImageSet


@dataclasses.dataclass(frozen=True)
class Splits:
    """train and validation hold normal images only (label 0); test holds both kinds.

    validation_volumes, test_volumes: the `PreparedVolume`s that those images are patches of; () where there are none.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    validation_volumes: tuple = ()
    test_volumes: tuple = ()


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
