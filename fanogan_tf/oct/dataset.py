"""`--dataset=oct` and `--dataset=oct_phantom`: volumes in, patches out, or whole flattened B-scans.

    ROOT/train_normal/      volumes of healthy eyes, trained on
    ROOT/val_normal/        optional; without it, a share of the volumes of train_normal is held out
    ROOT/test_normal/
    ROOT/test_anomalous/
    ROOT/test_masks/        optional; for test_anomalous/7.vol: 7.npy, 7.nii or 7.nii.gz; files with masks of their own need none

Training patches lie at random positions, those that are scored on a grid. A patch is anomalous if at least one of its pixels is
fluid (f-AnoGAN, section 3). With `--patches=0` a whole flattened B-scan is one image.

With `--oct_images=single` every image, at any depth, is a B-scan of an eye of its own, and its label is its folder's; the first
folder below test_anomalous/ is its class.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf.data import patches
from fanogan_tf.data.image_set import ImageSet, Splits, hold_out
from fanogan_tf.data.patches import PatchArray
from fanogan_tf.data.pixels import parse_image_size, resize
from fanogan_tf.errors import UserError
from fanogan_tf.oct.cache import Phantom, VolumeFile, prepare_all
from fanogan_tf.oct.phantom import sets
from fanogan_tf.oct.preparation import Preparation, PreparedVolume
from fanogan_tf.oct.readers import find
from fanogan_tf.oct.volume import FLUID
from fanogan_tf.options import Options

_MASKS = (".npy", ".nii", ".nii.gz")


def load(options: Options, cache_dir: Path) -> Splits:
    """The patches of all splits; prepares the volumes that are not prepared yet.

    Raises:
      UserError: missing folders, unusable volumes without skip_unreadable, options that do not fit each other.
    """
    found = sets.phantoms(options) if options.dataset == "oct_phantom" else _find(options)
    size = patch_size(options)
    prepared, _ = _prepare([source for split in found.values() for source in split], options, cache_dir)
    names = {split: {source.name for source in sources} for split, sources in found.items()}
    volumes = {split: [volume for volume in prepared if volume.name in names[split]] for split in found}
    for split, kept in volumes.items():
        if not kept:
            raise UserError(f"--data_path={options.data_path}: no usable volume left for {split}; fix those that were skipped")
    if not options.patches:
        train, validation, test = (whole_scans(volumes[split], size) for split in ("train", "validation", "test"))
        return Splits(train, validation, test)
    return Splits(
        train=random_patches(volumes["train"], size, options.patches, options.split_seed),
        validation=grid_patches(volumes["validation"], size),
        test=grid_patches(volumes["test"], size),
        validation_groups=tuple(volumes["validation"]),
        test_groups=tuple(volumes["test"]),
    )


def open_volumes(paths: Sequence[Path], options: Options, cache_dir: Path) -> tuple[list[PreparedVolume], ImageSet]:
    """Volumes that a user names, files and folders of them, and the grid patches that are scored of them.

    Returns:
      the volumes and their patches; with `--patches=0` none, as they are no groups of patches, and their whole B-scans.

    Raises:
      UserError: no such path, no volumes in a folder, or an unusable volume without skip_unreadable.
    """
    single, spacing = options.oct_images == "single", assumed_spacing(options)
    found = named_volumes(paths, single)
    sources = [VolumeFile(path, path.as_posix(), single=single, spacing=spacing) for path in found]
    volumes, skipped = _prepare(sources, options, cache_dir)
    if not volumes:
        raise UserError(f"{sources[0].path}: no usable volume; {skipped[0]}")
    if not options.patches:
        return [], whole_scans(volumes, patch_size(options))
    return volumes, grid_patches(volumes, patch_size(options))


def named_volumes(paths: Sequence[Path], single: bool = False) -> list[Path]:
    """The volumes that a user names, files and folders of them, in order, each once. single: every image is one.

    Raises:
      UserError: no such path, or no volumes in a folder.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; check the path")
        found.update(dict.fromkeys(_volumes_below(path, single) if path.is_dir() else [path]))
    return list(found)


def assumed_spacing(options: Options) -> tuple[float, float] | None:
    """`--oct_spacing` in millimetres from row to row and from column to column; None where it is not given.

    Raises:
      UserError: it is not two positive numbers.
    """
    if not options.oct_spacing:
        return None
    try:
        rows, columns = (float(part) / 1000.0 for part in options.oct_spacing.split("x"))
    except ValueError:
        rows = columns = 0.0
    if not (0.0 < rows < 1.0 and 0.0 < columns < 1.0):
        raise UserError(f"--oct_spacing={options.oct_spacing}: give micrometres between rows x between columns, as in 3.87x11.33")
    return rows, columns


def preparation(options: Options) -> Preparation:
    """How the options have volumes prepared."""
    return Preparation(options.oct_columns, options.oct_height, options.oct_surfaces)


def _prepare(
    sources: Sequence[VolumeFile | Phantom], options: Options, cache_dir: Path
) -> tuple[list[PreparedVolume], list[str]]:
    return prepare_all(sources, preparation(options), cache_dir, options.skip_unreadable)


def patch_size(options: Options) -> tuple[int, int]:
    """(height, width) of the images. Raises UserError: none is given, or one of patches that is larger than the areas."""
    size = parse_image_size(options.image_size)
    if size is None:
        raise UserError(f"--dataset={options.dataset}: give the patches' size, as in --image_size=64")
    if options.patches and (size[0] > options.oct_height or size[1] > options.oct_columns):
        raise UserError(
            f"--image_size={options.image_size}: patches are cut from areas of {options.oct_height} x {options.oct_columns} "
            "(--oct_height, --oct_columns); take a smaller size"
        )
    return size


def _find(options: Options) -> dict[str, list[VolumeFile]]:
    if not options.data_path:
        raise UserError("--dataset=oct: give the folder of your volumes with --data_path")
    root = Path(options.data_path)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give --data_path a folder with train_normal, test_normal, test_anomalous")
    train = _split(root, "train_normal", 0, options)
    if (root / "val_normal").exists():
        validation = _split(root, "val_normal", 0, options)
    elif len(train) < 2:
        # A folder of images is one volume, which is not what who has single B-scans meant.
        single = "; if its images are B-scans of different eyes, add --oct_images=single" if train[0].path.is_dir() else ""
        raise UserError(f"{root / 'train_normal'}: one volume cannot be parted; add volumes, or a folder val_normal{single}")
    else:
        kept, held = hold_out(len(train), options.validation_fraction, options.split_seed)
        train, validation = [train[i] for i in kept], [train[i] for i in held]
    return {
        "train": train,
        "validation": validation,
        "test": _split(root, "test_normal", 0, options) + _split(root, "test_anomalous", 1, options),
    }


def _split(root: Path, subfolder: str, label: int, options: Options) -> list[VolumeFile]:
    if not (root / subfolder).is_dir():
        raise UserError(
            f"{root / subfolder}: no such folder; --dataset=oct needs train_normal, test_normal, test_anomalous in {root}"
        )
    found = []
    single, spacing = options.oct_images == "single", assumed_spacing(options)
    for path in _volumes_below(root / subfolder, single):
        relative = path.relative_to(root / subfolder)
        masks = [root / "test_masks" / f"{relative.with_suffix('')}{suffix}" for suffix in _MASKS] if label else []
        mask = next((mask for mask in masks if mask.is_file()), None)
        kind = (relative.parts[0] if len(relative.parts) > 1 else "anomalous") if label else "normal"
        name = path.relative_to(root).as_posix()
        found.append(VolumeFile(path, name, label, mask, class_name=kind, single=single, spacing=spacing))
    return found


def _volumes_below(folder: Path, single: bool) -> list[Path]:
    if single:
        found = find.find_single_bscans(folder)
        if not found:
            raise UserError(f"{folder}: no images of B-scans in it; leave out --oct_images=single for volumes")
        return found
    found = find.find_volumes(folder)
    if not found:
        raise UserError(
            f"{folder}: no volumes in it; looked for {', '.join(find.VOLUME_EXTENSIONS)} at any depth; "
            "for images that are B-scans of different eyes add --oct_images=single"
        )
    return found


def random_patches(volumes: list[PreparedVolume], size: tuple[int, int], count: int, seed: int) -> ImageSet:
    """`count` patches of each B-scan at random positions, as they are trained on."""
    places = [
        (number, i, top, left)
        for number, volume in enumerate(volumes)
        for i, scan in enumerate(volume.scans)
        for top, left in patches.random(volume.areas.shape[1:], size, count, [seed, number, int(scan)])
    ]
    return _image_set(volumes, places, size)


def grid_patches(volumes: list[PreparedVolume], size: tuple[int, int]) -> ImageSet:
    """The patches that cover each B-scan, with masks of the fluid where anyone has looked for it."""
    places = [
        (number, i, top, left)
        for number, volume in enumerate(volumes)
        for i in range(len(volume.areas))
        for top, left in patches.grid(volume.areas.shape[1:], size)
    ]
    return _image_set(volumes, places, size)


def whole_scans(volumes: list[PreparedVolume], size: tuple[int, int]) -> ImageSet:
    """The flattened B-scans, resized to (height, width).

    A single B-scan has the label and class of its file. A volume's has those that its marked lesions give it, as a patch has.
    """
    images, labels, classes, names, groups, places = [], [], [], [], [], []
    for volume in volumes:
        for i, scan in enumerate(volume.scans):
            images.append(resize(np.asarray(volume.areas[i]), size))
            source: Any = volume.source
            if getattr(source, "single", False):
                label, kind = volume.label, source.class_name
            else:
                label, kind = _truth(volume, (i, 0, 0), volume.areas.shape[1:])
            labels.append(label)
            classes.append(kind)
            names.append(volume.name if volume.shape[0] == 1 else f"{volume.name}#{scan}")
            groups.append(volume.name)
            places.append((scan, 0, 0))
    return ImageSet(
        images=np.stack(images)[..., None],
        labels=np.array(labels, np.int32),
        class_names=np.array(classes),
        names=np.array(names),
        groups=np.array(groups),
        places=np.array(places),
    )


def _image_set(volumes: list[PreparedVolume], places: list[tuple[int, int, int, int]], size: tuple[int, int]) -> ImageSet:
    where = np.array(places, np.int64)
    labels, classes = zip(*(_truth(volumes[number], (i, top, left), size) for number, i, top, left in places), strict=True)
    masks = None
    if any(volume.lesions is not None and volume.kinds for volume in volumes):
        masks = PatchArray([_fluid(volume) for volume in volumes], where, size)
    return ImageSet(
        images=PatchArray([volume.areas for volume in volumes], where, size),
        labels=np.array(labels, np.int32),
        class_names=np.array(classes),
        names=np.array([f"{volumes[n].name}#{volumes[n].scans[i]}@{top},{left}" for n, i, top, left in places]),
        masks=masks,
        groups=np.array([volumes[n].name for n, *_ in places]),
        places=np.array([(volumes[n].scans[i], top, left) for n, i, top, left in places]),
    )


def _fluid(volume: PreparedVolume) -> np.ndarray:
    """(K, height, columns) uint8, 1 where there is fluid; what nobody has looked for is taken to be none."""
    if volume.lesions is None:
        return np.zeros(volume.areas.shape, np.uint8)
    return np.isin(volume.lesions, _codes(volume)).astype(np.uint8)


def _codes(volume: PreparedVolume) -> list[int]:
    return [code for code, kind in enumerate(volume.kinds, 1) if kind in FLUID]


def _truth(volume: PreparedVolume, place: tuple[int, int, int], size: tuple[int, int]) -> tuple[int, str]:
    """Label and class of a patch. A lesion that is no fluid leaves it unlabelled: it is not normal, nor what the paper counts."""
    if volume.label == 0:
        return 0, "normal"
    if volume.lesions is None:
        return -1, "unlabelled" if volume.label == 1 else ""
    i, top, left = place
    codes = volume.lesions[i, top : top + size[0], left : left + size[1]]
    counts = np.bincount(codes[codes > 0], minlength=1)
    if not counts.any():
        return 0, "normal"
    fluid = [code for code in _codes(volume) if code < len(counts) and counts[code]]
    commonest = max(fluid, key=lambda code: counts[code]) if fluid else int(np.argmax(counts))
    return (1 if fluid else -1), volume.kinds[commonest - 1]
