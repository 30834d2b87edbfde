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
from pathlib import Path

from fanogan_tf.data.decode import EXTENSIONS, find_images
from fanogan_tf.data.grouping import check_apart, group_finder, hold_out_groups
from fanogan_tf.data.image_files import Finder, ImageFile, prepared
from fanogan_tf.data.image_set import Splits, hold_out
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


def load(options: Options, cache_dir: Path, finder: Finder | None = None) -> Splits:
    """Opens the images of the folder `options.data_path`, see `image_files.prepared`.

    Raises:
      UserError: a missing or empty folder, or what `prepared` raises.
    """
    return prepared(_find(options), options, cache_dir, finder)


def _find(options: Options) -> dict[str, list[ImageFile]]:
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


def _held_out(train: list[ImageFile], options: Options, root: Path) -> tuple[list[ImageFile], list[ImageFile]]:
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


def _with_regions(root: Path, splits: dict[str, list[ImageFile]]) -> dict[str, list[ImageFile]]:
    """The files with their regions, where there are any.

    Raises:
      UserError: an image has none, or one region stands for two images.
    """
    if not any((root / folder).is_dir() for folder in _REGIONS.values()):
        return splits
    found: dict[str, list[ImageFile]] = {}
    for split, files in splits.items():
        folder = root / _REGIONS[split]
        there = _by_stem(folder, "region")
        taken: dict[Path, ImageFile] = {}
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
            found[split].append(dataclasses.replace(file, regions=(region,)))
    return found


def _apart(one: ImageFile, other: ImageFile) -> str:
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


def _normals(root: Path, subfolder: str) -> list[ImageFile]:
    return [ImageFile(path, path.relative_to(root).as_posix(), 0, "normal") for path in _images(root, subfolder)]


def _anomalous(root: Path) -> list[ImageFile]:
    masks = _by_stem(root / "test_masks", "mask")
    found = []
    for path in _images(root, "test_anomalous"):
        relative = path.relative_to(root / "test_anomalous")
        marked = masks.get(relative.with_suffix(""))
        if masks and marked is None:
            raise UserError(f"{path}: no mask; add {root / 'test_masks' / relative}, or remove test_masks")
        class_name = relative.parts[0] if len(relative.parts) > 1 else "anomalous"
        found.append(ImageFile(path, path.relative_to(root).as_posix(), 1, class_name, marked))
    return found
