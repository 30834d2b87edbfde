"""Labelled arrays of several classes, as one normal class against the rest, or one anomalous class among the rest.

`--dataset=digits`: 1797 scanned digits of 8x8 pixels that come with scikit-learn, so nothing is downloaded.

`--dataset=mnist` and `--dataset=fashion_mnist`: 28x28 images of ten classes, by Keras or from a file in its format.
"""

import functools
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

from fanogan_tf.data.image_set import ImageSet, Splits, hold_out
from fanogan_tf.data.pixels import parse_image_size, resize
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.random_streams import Stream

_TEST_FRACTION = 0.3
_KERAS = {"mnist": keras.datasets.mnist, "fashion_mnist": keras.datasets.fashion_mnist}
CLASS_NAMES = {
    "digits": tuple("0123456789"),
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}


def normal_classes(options: Options, class_names: Sequence[str], present: np.ndarray) -> np.ndarray:
    """Indices of the classes that count as normal: `normal_class`, or all others than `anomalous_class` where that is given.

    Args:
      present: indices of the classes that have images to train on.

    Raises:
      UserError: no such class, or one without enough images to train on.
    """
    if options.anomalous_class:
        anomalous = _find("anomalous_class", options.anomalous_class, class_names, present)
        return np.setdiff1d(np.arange(len(class_names)), anomalous)
    return np.array([_find("normal_class", options.normal_class, class_names, present)])


def _find(flag: str, text: str, class_names: Sequence[str], present: np.ndarray) -> int:
    """The class that the flag names, by index ("5") or by name in any case."""
    wanted = text.strip().casefold()
    known = {name.casefold(): index for index, name in enumerate(class_names)}
    known.update({str(index): index for index in range(len(class_names))})
    if known.get(wanted, -1) not in present:
        choices = ", ".join(name if name == str(i) else f"{i} ({name})" for i, name in enumerate(class_names) if i in present)
        raise UserError(f"--{flag}={text}: no images of such a class; choose one of {choices}")
    return known[wanted]


def image_set(
    images: np.ndarray,
    classes: np.ndarray,
    indices: np.ndarray,
    *,
    class_names: Sequence[str],
    normal: np.ndarray,
    prefix: str,
    size: tuple[int, int] | None,
) -> ImageSet:
    """The images at `indices` as an ImageSet: label 0 for the classes `normal`, 1 for every other.

    Args:
      images: (N, H, W) uint8.
      classes: (N,) int, indices into class_names.
      normal: indices into class_names.
      prefix: names are "prefix/00042", by the index in `images`.
      size: (height, width) to resize to; None keeps the images' own.
    """
    chosen = images[indices]
    if size is not None and size != images.shape[1:]:
        chosen = np.stack([resize(image, size) for image in chosen])
    return ImageSet(
        images=chosen[..., np.newaxis],
        labels=(~np.isin(classes[indices], normal)).astype(np.int32),
        class_names=np.array(class_names)[classes[indices]],
        names=np.array([f"{prefix}/{index:05d}" for index in indices]),
    )


def digit_splits(options: Options) -> Splits:
    """The digit `normal_class` against the other nine, or nine against the digit `anomalous_class`.

    The source has no test split: 30 % of the normal digits are held out for it, together with all other digits, which
    are never trained on.

    Raises:
      UserError: an unusable normal_class, anomalous_class or image_size.
    """
    source = load_digits()
    images = np.rint(source.images * (255 / 16)).astype(np.uint8)  # Stored as 0 .. 16.
    classes = source.target
    normal = normal_classes(options, CLASS_NAMES["digits"], np.unique(classes))

    normals = np.flatnonzero(np.isin(classes, normal))
    kept, tested = hold_out(len(normals), _TEST_FRACTION, [options.split_seed, Stream.TEST_SPLIT])
    train, validation = hold_out(len(kept), options.validation_fraction, options.split_seed)
    test = np.sort(np.concatenate([normals[tested], np.flatnonzero(~np.isin(classes, normal))]))

    part = functools.partial(
        image_set,
        images,
        classes,
        class_names=CLASS_NAMES["digits"],
        normal=normal,
        prefix="digits",
        size=parse_image_size(options.image_size),
    )
    return Splits(part(normals[kept[train]]), part(normals[kept[validation]]), part(test))


def mnist_splits(options: Options) -> Splits:
    """The normal classes of the train split, less their validation share; tested on the whole test split.

    Raises:
      UserError: no data, damaged data, or an unusable normal_class, anomalous_class or image_size.
    """
    size = parse_image_size(options.image_size)
    if options.data_path:
        train_images, train_classes, test_images, test_classes = _read_npz(Path(options.data_path))
    else:
        train_images, train_classes, test_images, test_classes = _download(options.dataset)

    class_names = CLASS_NAMES[options.dataset]
    trainable = np.flatnonzero(np.bincount(train_classes) > 1)  # One to train on and one to hold out.
    normal = normal_classes(options, class_names, trainable)
    normals = np.flatnonzero(np.isin(train_classes, normal))
    train, validation = hold_out(len(normals), options.validation_fraction, options.split_seed)

    part = functools.partial(image_set, class_names=class_names, normal=normal, size=size)
    return Splits(
        train=part(train_images, train_classes, normals[train], prefix=f"{options.dataset}/train"),
        validation=part(train_images, train_classes, normals[validation], prefix=f"{options.dataset}/train"),
        test=part(test_images, test_classes, np.arange(len(test_images)), prefix=f"{options.dataset}/test"),
    )


def _download(dataset: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    try:
        (train_images, train_classes), (test_images, test_classes) = _KERAS[dataset].load_data()
    except Exception as error:  # Keras raises a bare Exception when the network fails, others when the file is damaged.
        reason = " ".join(str(error).split())
        raise UserError(
            f"--dataset={dataset}: the download by Keras failed ({reason}); give a copy with --data_path={dataset}.npz"
        ) from error
    return train_images, train_classes.astype(np.int64), test_images, test_classes.astype(np.int64)


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x_train, y_train, x_test, y_test; nothing in the file is ever unpickled."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give --data_path a .npz with x_train, y_train, x_test, y_test")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    except KeyError as error:
        message = f"{path}: the array {error.args[0].split()[0]} is missing; give --data_path a .npz with all of "
        raise UserError(message + "x_train, y_train, x_test, y_test") from error
    except (OSError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: not a readable .npz of plain arrays; give --data_path another copy") from error

    for split in ("train", "test"):
        images, classes = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if images.dtype != np.uint8 or images.ndim != 3 or not images.size:
            raise UserError(f"{path}: x_{split} must be (N, H, W) uint8, not {images.shape} {images.dtype}; fix the file")
        if classes.shape != images.shape[:1] or classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() > 9:
            raise UserError(f"{path}: y_{split} must be {len(images)} class indices 0 .. 9; fix the file")
        arrays[f"y_{split}"] = classes.astype(np.int64)
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise UserError(f"{path}: the images of x_train and x_test differ in size; fix the file")
    return arrays["x_train"], arrays["y_train"], arrays["x_test"], arrays["y_test"]
