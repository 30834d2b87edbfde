"""Any images a user names, read one after another: memory does not grow with their number."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fanogan_tf.data.decode import EXTENSIONS, find_images, read_image
from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.pixels import resize, to_signed
from fanogan_tf.errors import UserError

_WORKERS = min(8, os.cpu_count() or 1)


class ImageStream:
    """Files and folders, in the order given; a folder's images are sorted, a file named twice is read once.

    Args:
      paths: files, and folders to search at any depth.
      image_shape: (H, W, 1); images are resized to it.
      skip_unreadable: leave out unreadable images and go on, instead of raising.

    Raises:
      UserError: a path does not exist, or a folder holds no images.
    """

    def __init__(self, paths: Sequence[Path], image_shape: tuple[int, int, int], skip_unreadable: bool = False):
        found: dict[Path, None] = {}
        for path in map(Path, paths):
            if path.is_dir():
                below = find_images(path)
                if not below:
                    raise UserError(f"{path}: no images in this folder; looked for {', '.join(EXTENSIONS)} at any depth")
                found.update(dict.fromkeys(below))
            elif path.exists():
                found[path] = None
            else:
                raise UserError(f"{path}: no such file or folder; check the path")
        self._paths = list(found)
        self._size = (image_shape[0], image_shape[1])
        self._skip_unreadable = skip_unreadable
        self.skipped: list[str] = []  # Names of the unreadable images of the latest round of `batches`, so far.

    def __len__(self) -> int:
        """The number of images named, those that turn out unreadable included."""
        return len(self._paths)

    def batches(self, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
        """All readable images once, in order, decoded in the background. Skipped ones do not make a batch smaller.

        Yields:
          image: (b, H, W, 1) float32 in [-1, 1]. label: (b,) int32, -1. class_name: (b,) str, "". name: (b,) str, the
          path as the user gave it.

        Raises:
          UserError: an unreadable image, unless skip_unreadable.
        """
        self.skipped.clear()
        names, images = [], []
        ahead = max(batch_size, 2 * _WORKERS)
        for path, image in zip(self._paths, ordered_map(self._read, self._paths, _WORKERS, ahead), strict=True):
            if image is None:
                self.skipped.append(path.as_posix())
                continue
            names.append(path.as_posix())
            images.append(image)
            if len(images) == batch_size:
                yield unlabelled_batch(names, images)
                names, images = [], []
        if images:
            yield unlabelled_batch(names, images)

    def _read(self, path: Path) -> np.ndarray | None:
        """(H, W) uint16; None if the image is unreadable and may be skipped."""
        try:
            return resize(read_image(path), self._size)
        except UserError:
            if not self._skip_unreadable:
                raise
            return None


def unlabelled_batch(names: list[str], images: list[np.ndarray]) -> dict[str, np.ndarray]:
    """A batch of (H, W) uint16 images of which nothing but their names is known."""
    return {
        "image": to_signed(np.stack(images)[..., np.newaxis]),
        "label": np.full(len(images), -1, np.int32),
        "class_name": np.full(len(images), ""),
        "name": np.array(names),
    }
