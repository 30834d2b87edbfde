"""Labelled arrays of several classes, turned into one normal class against the rest, or one anomalous class among the rest."""

from collections.abc import Sequence

import numpy as np

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.image_size import resize
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


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
