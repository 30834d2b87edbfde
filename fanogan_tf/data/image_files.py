"""Image files in splits, whatever folder or list they come from, prepared once and kept: resized or cut into patches.

All are kept as uint16 grey values, about 2 bytes per pixel.
"""

import dataclasses
import functools
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from fanogan_tf.data import image_cache, organ, patches
from fanogan_tf.data.decode import read_image
from fanogan_tf.data.image_cache import Item
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.organ import FILM, OrganNotFound
from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.pixels import parse_image_size, resize, resize_mask
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

_WORKERS = min(8, os.cpu_count() or 1)


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """One image file.

    Attributes:
      name: its path relative to the root.
      mask: the file of its anomalous pixels.
      boxes: or rectangles around them, each x, y, width, height in the file's pixels.
      regions: the files of its organ, which is all of them together, such as two lungs.
      group: see `grouping`.
    """

    path: Path
    name: str
    label: int
    class_name: str
    mask: Path | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    regions: tuple[Path, ...] = ()
    group: str = ""


@dataclasses.dataclass(frozen=True)
class _Cut:
    """What becomes of the images of one split."""

    size: tuple[int, int] | None  # (height, width) of the items; None keeps the images' own.
    patches: int  # Random patches per image.
    grid: bool  # Patches that cover the image, instead of random ones.
    masks: bool  # Every item has a mask, an empty one if the image has none.
    seed: int
    skip_unreadable: bool
    region: str  # See `organ.cut`.
    found_by: str  # What tells the finder of regions from another; "" for none.


class Finder(Protocol):
    """What finds the organ in films, see `detection.regions.RegionFinder`."""

    @property
    def name(self) -> str:
        """What tells it from another."""

    def find(self, image: np.ndarray) -> np.ndarray:
        """A film (FILM, FILM) uint16 -> bool. Raises OrganNotFound."""


def prepared(splits: dict[str, list[ImageFile]], options: Options, cache_dir: Path, finder: Finder | None = None) -> Splits:
    """Opens the prepared images of train, validation and test, after preparing them if they are new or have changed.

    Args:
      splits: the files of each.
      options: image_size, patches, region and split_seed say what becomes of them.
      cache_dir: holds the prepared images; entries of older settings are removed.
      finder: of the organ, whose regions take the place of those that files tell.

    Raises:
      UserError: films are to be cut that have no regions; an unreadable image without skip_unreadable; unfit sizes of images or
        masks.
    """
    size = parse_image_size(options.image_size)
    if options.patches and size is None:
        raise UserError(f"--patches={options.patches}: give the patches' size with --image_size")
    if options.region != "none":
        _check_regions(splits, options, finder)
    masked = any(file.mask or file.boxes for file in splits["test"])
    cuts = {
        split: _Cut(
            size=size,
            patches=options.patches,
            grid=bool(options.patches) and split == "test",
            masks=masked and split == "test",
            seed=options.split_seed,
            skip_unreadable=options.skip_unreadable,
            region=options.region,
            found_by=finder.name if finder else "",
        )
        for split in splits
    }

    entry = image_cache.entry_path(Path(cache_dir), _content(splits, cuts))
    found = image_cache.read(entry)
    if found is None:
        _prepare(entry, splits, cuts, finder)
        found = image_cache.read(entry)
        if found and (options.region != "none" or finder or options.dataset == "chest_xray"):
            _warn_of_inverted(found.splits)
    if found is None:
        raise UserError(f"{entry}: cannot be read, although it was just written; check the disk")
    if found.skipped:
        if not options.skip_unreadable:
            raise UserError(found.skipped[0][1])
        _report(f"Skipped {len(found.skipped)} unreadable images", [name for name, _ in found.skipped])
    if found.unfit:
        _report(f"Left out {len(found.unfit)} films", [f"{name} ({why})" for name, why in found.unfit])
    return Splits(found.splits["train"], found.splits["validation"], found.splits["test"])


def _content(splits: dict[str, list[ImageFile]], cuts: dict[str, _Cut]) -> list:
    """All that the prepared images depend on. Not skip_unreadable: what was skipped is kept with them."""

    def state(path: Path | None) -> list | None:
        return None if path is None else [path.suffix, path.stat().st_size, path.stat().st_mtime_ns]

    files = {
        split: [[f.name, f.group, state(f.path), state(f.mask), f.boxes, [state(path) for path in f.regions]] for f in found]
        for split, found in splits.items()
    }
    settings = {split: dataclasses.asdict(dataclasses.replace(cut, skip_unreadable=False)) for split, cut in cuts.items()}
    return [files, settings]


def _warn_of_inverted(splits: dict[str, ImageSet]) -> None:
    names = [
        name
        for images in splits.values()
        for name in images.names[organ.inverted(images.images, splits["train"].images)].tolist()
    ]
    if names:
        _report(f"warning: {len(names)} films look inverted, dark where most are bright; invert them, or leave them out", names)


def _check_regions(splits: dict[str, list[ImageFile]], options: Options, finder: Finder | None) -> None:
    if options.patches:
        raise UserError(f"--region={options.region}: not of images that are cut into --patches; leave one of them out")
    without = [file for files in splits.values() for file in files if not file.regions]
    if finder is None and without:
        raise UserError(
            f"--region={options.region}: {without[0].path} has no mask of its organ; add masks (see --dataset=folder), "
            "or give a run of fanogan lungs train with --region_from"
        )


def _prepare(entry: Path, splits: dict[str, list[ImageFile]], cuts: dict[str, _Cut], finder: Finder | None) -> None:
    skipped: list[tuple[str, str]] = []
    unfit: list[tuple[str, str]] = []
    sides: dict[str, bool] = {}
    total = sum(map(len, splits.values()))
    with tqdm(total=total, desc="Preparing images", unit="image", file=sys.stderr) as bar:

        def items(split: str) -> Iterator[Item]:
            cut = cuts[split]
            of_file = functools.partial(_items, cut=cut, finder=finder, sides=sides)
            made_in_order = ordered_map(of_file, splits[split], _WORKERS, ahead=2 * _WORKERS)
            for file, made in zip(splits[split], made_in_order, strict=True):
                if isinstance(made, OrganNotFound):
                    unfit.append((file.name, str(made)))
                elif isinstance(made, UserError):
                    skipped.append((file.name, str(made)))
                else:
                    yield from made
                bar.update()
            if split == list(splits)[-1]:
                _check_sides(sides)

        image_cache.write(entry, {split: items(split) for split in splits}, skipped, unfit)


def _check_sides(sides: dict[str, bool]) -> None:
    """Whether the first of a file's two regions lies left of the second, as in most files.

    Raises:
      UserError: in some it does not.
    """
    usual = sum(sides.values()) * 2 >= len(sides)
    swapped = sorted(name for name, left in sides.items() if left != usual)
    if swapped:
        raise UserError(
            f"{swapped[0]}: its left and right masks are swapped, beside {len(sides) - len(swapped)} films whose are not"
            f"{f' (and {len(swapped) - 1} more)' if len(swapped) > 1 else ''}; swap the two files, or take the film out"
        )


def _items(file: ImageFile, cut: _Cut, finder: Finder | None, sides: dict[str, bool]) -> list[Item] | UserError:
    """What one file contributes; the error, if it is unreadable and may be skipped, or its organ is not found.

    sides: gets, for a file of two regions, whether the first lies left of the second.

    Raises:
      UserError: unreadable, or of an unfit size.
    """
    try:
        image = read_image(file.path)
        mask = None if file.mask is None else read_image(file.mask) > 0
        parts = [] if finder else [read_image(path) > 0 for path in file.regions]
    except UserError as error:
        if cut.skip_unreadable:
            return error
        raise
    if mask is None and cut.masks:
        mask = _within(file.boxes, image.shape)
    regions = () if finder else file.regions
    for path, pixels in ((file.mask, mask), *zip(regions, parts, strict=True)):
        if pixels is not None and pixels.shape != image.shape:
            raise UserError(f"{path}: {_text(pixels)} pixels, but its image has {_text(image)}; make them the same size")
    for path, pixels in zip(regions, parts, strict=True):
        if not pixels.any():
            raise UserError(f"{path}: an empty region; mark the organ's pixels, or leave its image out")
    if len(parts) == 2:
        first, second = (np.flatnonzero(part.any(axis=0)).mean() for part in parts)
        sides[file.name] = bool(first < second)
    region = np.any(parts, axis=0) if parts else None
    size = cut.size or image.shape
    if cut.region != "none":
        image = resize(image, (FILM, FILM))
        mask, region = (None if pixels is None else resize_mask(pixels, (FILM, FILM)) for pixels in (mask, region))
    if finder:
        try:
            region = resize_mask(finder.find(resize(image, (FILM, FILM))), image.shape)
        except OrganNotFound as error:
            return error
    if region is not None:
        image, (mask, region) = organ.cut(image, region, cut.region, mask, region)

    if not cut.patches or cut.size is None:
        small_mask, small_region = (None if pixels is None else resize_mask(pixels, size) for pixels in (mask, region))
        return [Item(resize(image, size), small_mask, small_region, file.label, file.class_name, file.name, file.group)]

    if image.shape[0] < cut.size[0] or image.shape[1] < cut.size[1]:
        wanted = f"{cut.size[0]}x{cut.size[1]}"
        raise UserError(f"{file.path}: {_text(image)} pixels, less than a patch of {wanted}; remove it or lower --image_size")
    if cut.grid:
        corners = patches.grid(image.shape, cut.size)
    else:
        # Seeded by the name, so that a file more or less does not change the patches of the others.
        corners = patches.random(image.shape, cut.size, cut.patches, [cut.seed, zlib.crc32(file.name.encode("utf-8", "replace"))])
    return [_patch(file, image, mask, region, top, left, cut.size) for top, left in corners]


def _patch(
    file: ImageFile,
    image: np.ndarray,
    mask: np.ndarray | None,
    region: np.ndarray | None,
    top: int,
    left: int,
    size: tuple[int, int],
) -> Item:
    window = np.s_[top : top + size[0], left : left + size[1]]
    part = None if mask is None else mask[window]
    # Where masks tell, a patch beside the anomaly is a normal one.
    label = file.label if part is None else int(part.any())
    class_name = file.class_name if label else "normal"
    of_organ = None if region is None else region[window]
    return Item(image[window], part, of_organ, label, class_name, f"{file.name}@{top},{left}", file.group)


def _within(boxes: tuple[tuple[float, float, float, float], ...], shape: tuple[int, ...]) -> np.ndarray:
    """The pixels inside any of the boxes: (H, W) bool."""
    mask = np.zeros(shape, bool)
    for x, y, width, height in boxes:
        mask[max(round(y), 0) : max(round(y + height), 0), max(round(x), 0) : max(round(x + width), 0)] = True
    return mask


def _text(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


def _report(what: str, names: list[str]) -> None:
    first = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    print(f"{what}: {first}", file=sys.stderr)
