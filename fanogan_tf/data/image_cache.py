"""Decoded images on disk: written once as .npy files with a JSON beside them, then only opened.

An entry is one folder, `prepared-<key>`: `meta.json`, and per split `<split>.npy` and perhaps `<split>_masks.npy` and
`<split>_regions.npy`.
"""

import dataclasses
import hashlib
import io
import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.errors import UserError

_VERSION = 3  # To be raised when the content of an entry changes.
_ABANDONED_SECONDS = 3600


@dataclasses.dataclass(frozen=True)
class Item:
    """One image of a split: (H, W) uint16, its mask and region (H, W) bool or None, label 0 or 1, class, unique name, group."""

    image: np.ndarray
    mask: np.ndarray | None
    region: np.ndarray | None
    label: int
    class_name: str
    name: str
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """The splits by name; (name, what is wrong) of each file that was skipped, and of each film whose organ was not found."""

    splits: dict[str, ImageSet]
    skipped: list[tuple[str, str]]
    unfit: list[tuple[str, str]]


def entry_path(cache_dir: Path, content: object) -> Path:
    """The entry's folder for `content`: everything JSON can hold that the prepared images depend on."""
    text = json.dumps([_VERSION, content], sort_keys=True)
    return cache_dir / f"prepared-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def read(entry: Path) -> Prepared | None:
    """Opens an entry, its arrays as read-only memory-maps; None if it is not there or not whole."""
    try:
        meta = json.loads((entry / "meta.json").read_text(encoding="utf-8"))
        splits = {
            split: ImageSet(
                images=np.load(entry / f"{split}.npy", mmap_mode="r"),
                labels=np.array(columns["labels"], np.int32),
                class_names=np.array(columns["class_names"]),
                names=np.array(columns["names"]),
                masks=np.load(entry / f"{split}_masks.npy", mmap_mode="r") if columns["masks"] else None,
                regions=np.load(entry / f"{split}_regions.npy", mmap_mode="r") if columns["regions"] else None,
                groups=np.array(columns["groups"]) if any(columns["groups"]) else None,
            )
            for split, columns in meta["splits"].items()
        }
        skipped, unfit = ([(name, reason) for name, reason in meta[kind]] for kind in ("skipped", "unfit"))
        return Prepared(splits, skipped, unfit)
    except (OSError, ValueError, KeyError):
        return None  # To be prepared again.


def write(entry: Path, splits: dict[str, Iterable[Item]], skipped: list[tuple[str, str]], unfit: list[tuple[str, str]]) -> None:
    """Writes an entry whole or not at all, then removes the other entries beside it.

    Args:
      splits: the items per split, consumed one by one: only what is at hand is in memory.
      skipped, unfit: see `Prepared`; read after the last item, so that whoever makes the items may fill them on the way.

    Raises:
      UserError: a split is without items, or its images are not of one size.
    """
    meta: dict = {"splits": {}, "skipped": skipped, "unfit": unfit}
    shape, first = None, ""
    with files.whole_folder(entry) as temporary:
        for split, items in splits.items():
            columns: dict = {"labels": [], "class_names": [], "names": [], "groups": []}
            with (
                _GrowingArray(temporary / f"{split}.npy") as images,
                _GrowingArray(temporary / f"{split}_masks.npy") as masks,
                _GrowingArray(temporary / f"{split}_regions.npy") as regions,
            ):
                for item in items:
                    if shape is None:
                        shape, first = item.image.shape, item.name
                    if item.image.shape != shape:
                        raise UserError(
                            f"images of different sizes: {_size_text(shape)} in {first}, {_size_text(item.image.shape)} in "
                            f"{item.name}; give --image_size to bring all to one size"
                        )
                    images.append(item.image)
                    for array, pixels in ((masks, item.mask), (regions, item.region)):
                        if pixels is not None:
                            array.append(pixels.astype(np.uint8))
                    columns["labels"].append(item.label)
                    columns["class_names"].append(item.class_name)
                    columns["names"].append(item.name)
                    columns["groups"].append(item.group)
            if not images.count:
                raise UserError(f"{split}: none of its images is usable; for one of them: {(skipped + unfit)[0][1]}")
            columns["masks"], columns["regions"] = bool(masks.count), bool(regions.count)
            meta["splits"][split] = columns
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    _remove_others(entry)


def _size_text(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"


class _GrowingArray:
    """A .npy file (N, H, W, 1) that images are appended to; N is filled in at the end. No image, no file."""

    def __init__(self, path: Path):
        self._path = path
        self._file: io.BufferedWriter | None = None
        self._item: np.ndarray | None = None
        self.count = 0

    def __enter__(self) -> "_GrowingArray":
        return self

    def append(self, image: np.ndarray) -> None:
        """image: (H, W), always of the same shape and dtype."""
        if self._file is None:
            self._file = open(self._path, "wb")  # noqa: SIM115 - closed by __exit__
            self._item = np.empty_like(image)
            self._file.write(self._header(self._item))
        self._file.write(np.ascontiguousarray(image).data)
        self.count += 1

    def __exit__(self, *_: object) -> None:
        if self._file is not None and self._item is not None:
            # NumPy pads headers so that a larger first dimension fits in the same number of bytes.
            self._file.seek(0)
            self._file.write(self._header(self._item))
            self._file.close()

    def _header(self, item: np.ndarray) -> bytes:
        header = io.BytesIO()
        description = np.lib.format.dtype_to_descr(item.dtype)
        shape = (self.count, *item.shape, 1)
        np.lib.format.write_array_header_1_0(header, {"descr": description, "fortran_order": False, "shape": shape})
        return header.getvalue()


def _remove_others(entry: Path) -> None:
    """Removes older entries, and what killed runs left half written: temporaries that nobody has written to for an hour."""
    for old in entry.parent.glob("prepared-*"):
        if old != entry:
            shutil.rmtree(old, ignore_errors=True)
    for temporary in entry.parent.glob(".prepared-*"):
        if time.time() - max(_written(path) for path in [temporary, *temporary.glob("*")]) > _ABANDONED_SECONDS:
            shutil.rmtree(temporary, ignore_errors=True)


def _written(path: Path) -> float:
    """Time of the last change; now, if the file vanishes under us, for then its owner is alive."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()
