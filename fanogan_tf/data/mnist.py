"""`--dataset=mnist` and `--dataset=fashion_mnist`: 28x28 images of ten classes, by Keras or from a file in its format."""

import functools
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from fanogan_tf.data import one_class
from fanogan_tf.data.image_size import parse_image_size
from fanogan_tf.data.splits import Splits, hold_out
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

_KERAS = {"mnist": keras.datasets.mnist, "fashion_mnist": keras.datasets.fashion_mnist}
_CLASS_NAMES = {
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


def load(options: Options) -> Splits:
    """The normal classes of the train split, less their validation share; tested on the whole test split.

    Raises:
      UserError: no data, damaged data, or an unusable normal_class, anomalous_class or image_size.
    """
    size = parse_image_size(options.image_size)
    if options.data_path:
        train_images, train_classes, test_images, test_classes = _read_npz(Path(options.data_path))
    else:
        train_images, train_classes, test_images, test_classes = _download(options.dataset)

    class_names = _CLASS_NAMES[options.dataset]
    trainable = np.flatnonzero(np.bincount(train_classes) > 1)  # One to train on and one to hold out.
    normal = one_class.normal_classes(options, class_names, trainable)
    normals = np.flatnonzero(np.isin(train_classes, normal))
    train, validation = hold_out(len(normals), options.validation_fraction, options.split_seed)

    part = functools.partial(one_class.image_set, class_names=class_names, normal=normal, size=size)
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
            raise UserError(f"{path}: x_{split} must be (N, H, W) uint8, not {images.shape} {images.dtype}; mend the file")
        if classes.shape != images.shape[:1] or classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() > 9:
            raise UserError(f"{path}: y_{split} must be {len(images)} class indices 0 .. 9; mend the file")
        arrays[f"y_{split}"] = classes.astype(np.int64)
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise UserError(f"{path}: the images of x_train and x_test differ in size; mend the file")
    return arrays["x_train"], arrays["y_train"], arrays["x_test"], arrays["y_test"]
