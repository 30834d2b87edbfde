"""The leak check: images that stand, exactly or nearly, on two sides of a split, and make a test easier than it looks."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.patches import one_by_one
from fanogan_tf.data.pixels import small_copies
from fanogan_tf.errors import UserError
from fanogan_tf.random_streams import Stream

SIDE = 32
# Of small copies. Two normal images of different sources seldom exceed it: of held-out digits, garments, films and B-scans
# 0 to .8 % do, with any of thousands of training images.
NEAR = 0.995
_MOST_IMAGES = 20_000  # Of each split; patches of volumes may be a hundred times as many.
_MOST_LISTED = 200
_CHUNK = 2048
_SIDES = (("train", "validation"), ("train", "test"), ("validation", "test"))


@dataclasses.dataclass(frozen=True)
class Leak:
    """An image of a later split (`side`, `name`) that is an image of an earlier one (`of_side`, `of_name`) as well.

    correlation: of their small copies; None where all pixels are equal.
    """

    of_side: str
    of_name: str
    side: str
    name: str
    correlation: float | None


@dataclasses.dataclass(frozen=True)
class Leaks:
    """What was found.

    Attributes:
      compared: split -> number of its images that were compared.
      exact, near: (earlier split, later split) as "train-test" -> number of images of the later one that leak.
      listed: the first of them, exact ones first.
    """

    compared: dict[str, int]
    exact: dict[str, int]
    near: dict[str, int]
    listed: tuple[Leak, ...]

    def __bool__(self) -> bool:
        return any(self.exact.values()) or any(self.near.values())

    def save(self, path: Path) -> None:
        """Writes `path`, a JSON file that is read by people too."""
        with files.whole_file(path) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")

    def sentences(self) -> list[str]:
        """Says what was found, a line for each two splits; none where nothing was."""
        lines = []
        for sides, count in self.exact.items():
            first, second = sides.split("-")
            near = self.near[sides]
            if count or near:
                lines.append(
                    f"of {self.compared[second]:,} {_WORDS[second]} images {count:,} are pixel for pixel a {_WORDS[first]} image "
                    f"and {near:,} nearly (correlation above {NEAR} at {SIDE}x{SIDE})"
                )
        return lines


_WORDS = {"train": "training", "validation": "held-out", "test": "test"}


def load(path: Path) -> Leaks:
    """Reads what `Leaks.save` wrote.

    Raises:
      UserError: the file is damaged.
    """
    try:
        values: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return Leaks(**values | {"listed": tuple(Leak(**leak) for leak in values["listed"])})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); remove it, fanogan train writes it again") from error


def find(splits: Splits, seed: int) -> Leaks:
    """Looks for images that stand on two sides.

    Args:
      splits: at most 20,000 images of each are compared.
      seed: of the draw where there are more.
    """
    sets = {name: _drawn(getattr(splits, name), seed) for name in ("train", "validation", "test")}
    sums = {name: _sums(images) for name, images in sets.items()}
    small = {name: _unit(small_copies(images.images, SIDE)) for name, images in sets.items()}
    exact, near = {}, {}
    listed: tuple[list[Leak], list[Leak]] = [], []
    for first, second in _SIDES:
        at = {value: i for i, value in reversed(list(enumerate(sums[first])))}
        best, nearest = _nearest(small[first], small[second])
        counts = [0, 0]
        for i, value in enumerate(sums[second]):
            same = at.get(value)
            if same is None and best[i] <= NEAR:
                continue
            kind = int(same is None)
            counts[kind] += 1
            names = first, str(sets[first].names[nearest[i] if same is None else same]), second, str(sets[second].names[i])
            listed[kind].append(Leak(*names, None if same is not None else round(float(best[i]), 5)))
        exact[f"{first}-{second}"], near[f"{first}-{second}"] = counts
    compared = {name: len(images) for name, images in sets.items()}
    return Leaks(compared, exact, near, tuple([*listed[0], *listed[1]][:_MOST_LISTED]))


def _drawn(images: ImageSet, seed: int) -> ImageSet:
    if len(images) <= _MOST_IMAGES:
        return images
    return images.take(np.sort(np.random.default_rng([seed, Stream.LEAKS]).permutation(len(images))[:_MOST_IMAGES]))


def _sums(images: ImageSet) -> list[bytes]:
    return [
        hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest() for image in one_by_one(images.images)
    ]


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and length 1, so that their product is their correlation; of an image of one value, 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-6))


def _nearest(rows: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each of `others` the highest correlation with any of `rows`, and which one: (n,), (n,)."""
    best, where = np.full(len(others), -1.0, np.float32), np.zeros(len(others), int)
    for first in range(0, len(others), _CHUNK):
        products = others[first : first + _CHUNK] @ rows.T
        where[first : first + _CHUNK] = products.argmax(axis=1)
        best[first : first + _CHUNK] = products.max(axis=1)
    return best, where
