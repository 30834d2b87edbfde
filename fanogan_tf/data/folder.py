"""`--dataset=folder`: a user's own images.

    ROOT/train_normal/      trained on
    ROOT/val_normal/        optional; without it, a share of train_normal is held out
    ROOT/test_normal/
    ROOT/test_anomalous/    class = its first-level subfolder, "anomalous" for images directly in it
    ROOT/test_masks/        optional; for test_anomalous/cysts/7.png: cysts/7.png, or .tif, ...; nonzero = anomalous pixel
    ROOT/train_regions/     optional, and val_regions/, test_regions/; for train_normal/a/7.png: a/7.png, ...; nonzero = organ

Regions are for all images or for none. Without val_normal/, held-out images take those of train_regions/. Where test_normal/7.png
and test_anomalous/7.png both exist, test_regions/test_normal/7.png and test_regions/test_anomalous/7.png keep them apart.

Images may lie at any depth. PNG, JPEG, TIFF and BMP of 8 or 16 bits; all are kept as uint16 grey values.
"""

import dataclasses
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fanogan_tf.data import image_cache, patches
from fanogan_tf.data.decode import EXTENSIONS, find_images, read_image
from fanogan_tf.data.grouping import check_apart, group_finder, hold_out_groups
from fanogan_tf.data.image_cache import Item
from fanogan_tf.data.image_set import Splits, hold_out
from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.pixels import parse_image_size, resize, resize_mask
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

_WORKERS = min(8, os.cpu_count() or 1)


@dataclasses.dataclass(frozen=True)
class _File:
    """One image file. name: its path relative to the root. mask, region: their files, if it has them. group: see `grouping`."""

    path: Path
    name: str
    label: int
    class_name: str
    mask: Path | None = None
    region: Path | None = None
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


def load(options: Options, cache_dir: Path) -> Splits:
    """Opens the prepared images of the folder `options.data_path`, after preparing them if they are new or have changed.

    Args:
      cache_dir: holds the prepared images, about 2 bytes per pixel; entries of older settings are removed.

    Raises:
      UserError: a missing or empty folder, an unreadable image without skip_unreadable, images or masks of unfit sizes.
    """
    size = parse_image_size(options.image_size)
    if options.patches and size is None:
        raise UserError(f"--patches={options.patches}: give the patches' size with --image_size")
    splits = _find(options)
    masked = any(file.mask for file in splits["test"])
    cuts = {
        split: _Cut(
            size=size,
            patches=options.patches,
            grid=bool(options.patches) and split == "test",
            masks=masked and split == "test",
            seed=options.split_seed,
            skip_unreadable=options.skip_unreadable,
        )
        for split in splits
    }

    entry = image_cache.entry_path(Path(cache_dir), _content(splits, cuts))
    found = image_cache.read(entry)
    if found is None:
        _prepare(entry, splits, cuts)
        found = image_cache.read(entry)
    if found is None:
        raise UserError(f"{entry}: cannot be read, although it was just written; check the disk")
    if found.skipped:
        if not options.skip_unreadable:
            raise UserError(found.skipped[0][1])
        _report(found.skipped)
    return Splits(found.splits["train"], found.splits["validation"], found.splits["test"])


def _find(options: Options) -> dict[str, list[_File]]:
    """The files of each split, sorted by path."""
    if not options.data_path:
        raise UserError("--dataset=folder: give the folder of your images with --data_path")
    root = Path(options.data_path)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give --data_path a folder with train_normal, test_normal, test_anomalous")

    splits = {"train": _normals(root, "train_normal"), "test": _normals(root, "test_normal") + _anomalous(root)}
    by_hand = (root / "val_normal").exists()
    if by_hand:
        splits["validation"] = _normals(root, "val_normal")
    if options.group_by:
        group_of = group_finder(options.group_by, root)
        splits = {
            name: [dataclasses.replace(file, group=group_of(file.name)) for file in files] for name, files in splits.items()
        }
        check_apart({name: [file.group for file in files] for name, files in splits.items()}, options.group_by)
    splits = _with_regions(root, splits)
    if not by_hand:
        splits["train"], splits["validation"] = _held_out(splits["train"], options, root)
    return {name: splits[name] for name in ("train", "validation", "test")}


def _held_out(train: list[_File], options: Options, root: Path) -> tuple[list[_File], list[_File]]:
    """The files to train on, and those held out of them."""
    if options.group_by:
        groups = [file.group for file in train]
        if len(set(groups)) < 2:
            raise UserError(f"{root / 'train_normal'}: one group cannot be parted; add images of others, or a folder val_normal")
        kept, held = hold_out_groups(groups, options.validation_fraction, options.split_seed)
    elif len(train) < 2:
        raise UserError(f"{root / 'train_normal'}: one image cannot be parted; add images, or a folder val_normal")
    else:
        kept, held = hold_out(len(train), options.validation_fraction, options.split_seed)
    return [train[i] for i in kept], [train[i] for i in held]


_REGIONS = {"train": "train_regions", "validation": "val_regions", "test": "test_regions"}


def _with_regions(root: Path, splits: dict[str, list[_File]]) -> dict[str, list[_File]]:
    """The files with their regions, where there are any.

    Raises:
      UserError: an image has none, or one region stands for two images.
    """
    if not any((root / folder).is_dir() for folder in _REGIONS.values()):
        return splits
    found: dict[str, list[_File]] = {}
    for split, files in splits.items():
        folder = root / _REGIONS[split]
        there = _by_stem(folder, "region")
        taken: dict[Path, _File] = {}
        found[split] = []
        for file in files:
            below = Path(file.name).with_suffix("")
            inside = Path(*below.parts[1:])
            region = there.get(below) or there.get(inside)
            if region is None:
                wanted = folder / f"{inside}{file.path.suffix}"
                raise UserError(f"{file.path}: no region; add {wanted}, or remove the folders of regions")
            if region in taken:
                raise UserError(f"{region}: a region for {taken[region].name} and for {file.name}; {_apart(taken[region], file)}")
            taken[region] = file
            found[split].append(dataclasses.replace(file, region=region))
    return found


def _apart(one: _File, other: _File) -> str:
    """The remedy for two images that have one region."""
    folders = sorted({Path(file.name).parts[0] for file in (one, other)}, reverse=True)
    if len(folders) == 1:
        return "rename one of the images"
    return f"put one each into {' and '.join(f'test_regions/{name}' for name in folders)}"


def _by_stem(folder: Path, kind: str) -> dict[Path, Path]:
    """The images below `folder`, by their path in it without the file's ending.

    Raises:
      UserError: two of them differ in the ending alone. kind: what they are, for the message.
    """
    found: dict[Path, Path] = {}
    for path in find_images(folder):
        other = found.setdefault(path.relative_to(folder).with_suffix(""), path)
        if other != path:
            raise UserError(f"{path}: a second {kind} for the same image, beside {other.name}; remove one")
    return found


def _images(root: Path, subfolder: str) -> list[Path]:
    folder = root / subfolder
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; --dataset=folder needs train_normal, test_normal, test_anomalous in {root}")
    images = find_images(folder)
    if not images:
        raise UserError(f"{folder}: no images in it; looked for {', '.join(EXTENSIONS)} at any depth")
    return images


def _normals(root: Path, subfolder: str) -> list[_File]:
    return [_File(path, path.relative_to(root).as_posix(), 0, "normal") for path in _images(root, subfolder)]


def _anomalous(root: Path) -> list[_File]:
    masks = _by_stem(root / "test_masks", "mask")
    found = []
    for path in _images(root, "test_anomalous"):
        relative = path.relative_to(root / "test_anomalous")
        marked = masks.get(relative.with_suffix(""))
        if masks and marked is None:
            raise UserError(f"{path}: no mask; add {root / 'test_masks' / relative}, or remove test_masks")
        class_name = relative.parts[0] if len(relative.parts) > 1 else "anomalous"
        found.append(_File(path, path.relative_to(root).as_posix(), 1, class_name, marked))
    return found


def _content(splits: dict[str, list[_File]], cuts: dict[str, _Cut]) -> list:
    """All that the prepared images depend on. Not skip_unreadable: what was skipped is kept with them."""

    def state(path: Path | None) -> list | None:
        return None if path is None else [path.suffix, path.stat().st_size, path.stat().st_mtime_ns]

    files = {
        split: [[f.name, f.group, state(f.path), state(f.mask), state(f.region)] for f in found]
        for split, found in splits.items()
    }
    settings = {split: dataclasses.asdict(dataclasses.replace(cut, skip_unreadable=False)) for split, cut in cuts.items()}
    return [files, settings]


def _prepare(entry: Path, splits: dict[str, list[_File]], cuts: dict[str, _Cut]) -> None:
    skipped: list[tuple[str, str]] = []
    total = sum(map(len, splits.values()))
    with tqdm(total=total, desc="Preparing images", unit="image", file=sys.stderr) as bar:

        def items(split: str) -> Iterator[Item]:
            cut = cuts[split]
            made_in_order = ordered_map(lambda file: _items(file, cut), splits[split], _WORKERS, ahead=2 * _WORKERS)
            for file, made in zip(splits[split], made_in_order, strict=True):
                if isinstance(made, UserError):
                    skipped.append((file.name, str(made)))
                else:
                    yield from made
                bar.update()

        image_cache.write(entry, {split: items(split) for split in splits}, skipped)


def _items(file: _File, cut: _Cut) -> list[Item] | UserError:
    """What one file contributes; the error, if it is unreadable and may be skipped.

    Raises:
      UserError: unreadable, or of an unfit size.
    """
    try:
        image = read_image(file.path)
        mask = None if file.mask is None else read_image(file.mask) > 0
        region = None if file.region is None else read_image(file.region) > 0
    except UserError as error:
        if cut.skip_unreadable:
            return error
        raise
    if mask is None and cut.masks:
        mask = np.zeros(image.shape, bool)
    for path, pixels in ((file.mask, mask), (file.region, region)):
        if pixels is not None and pixels.shape != image.shape:
            raise UserError(f"{path}: {_text(pixels)} pixels, but its image has {_text(image)}; make them the same size")
    if region is not None and not region.any():
        raise UserError(f"{file.region}: an empty region; mark the organ's pixels, or leave its image out")

    if not cut.patches or cut.size is None:
        size = cut.size or image.shape
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
    file: _File, image: np.ndarray, mask: np.ndarray | None, region: np.ndarray | None, top: int, left: int, size: tuple[int, int]
) -> Item:
    window = np.s_[top : top + size[0], left : left + size[1]]
    part = None if mask is None else mask[window]
    # Where masks tell, a patch beside the anomaly is a normal one.
    label = file.label if part is None else int(part.any())
    class_name = file.class_name if label else "normal"
    of_organ = None if region is None else region[window]
    return Item(image[window], part, of_organ, label, class_name, f"{file.name}@{top},{left}", file.group)


def _text(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


def _report(skipped: list[tuple[str, str]]) -> None:
    first = ", ".join(name for name, _ in skipped[:3]) + (", ..." if len(skipped) > 3 else "")
    print(f"Skipped {len(skipped)} unreadable images: {first}", file=sys.stderr)
