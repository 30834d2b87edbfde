"""Any images a user names or hands over, read one after another: memory does not grow with their number."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fanogan_tf.data.decode import EXTENSIONS, find_images, read_image
from fanogan_tf.data.organ import OrganNotFound
from fanogan_tf.data.parallel import ordered_map
from fanogan_tf.data.pixels import resize, to_signed
from fanogan_tf.errors import UserError

GivenImage = np.ndarray | str | os.PathLike
# Luminance of red, green and blue (ITU-R BT.601), as Pillow has it for 8 bits.
_LUMINANCE = np.array([299, 587, 114]) / 1000
_WORKERS = min(8, os.cpu_count() or 1)


Cut = Callable[[np.ndarray], np.ndarray]


def whole(image: np.ndarray) -> np.ndarray:
    """Leaves an image as it is."""
    return image


class ImageStream:
    """Files and folders, in the order given; a folder's images are sorted, a file named twice is read once.

    Args:
      paths: files, and folders to search at any depth.
      image_shape: (H, W, 1); images are resized to it.
      skip_unreadable: leave out unreadable images and go on, instead of raising.
      cut: what becomes of an image (H, W) uint16 of its own size before it is resized; an image for which it raises OrganNotFound
        is left out.

    Raises:
      UserError: a path does not exist, or a folder holds no images.
    """

    def __init__(self, paths: Sequence[Path], image_shape: tuple[int, int, int], skip_unreadable: bool = False, cut: Cut = whole):
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
        self._cut = cut
        self.skipped: list[str] = []  # Names of the unreadable images of the latest round of `batches`, so far.
        self.unfit: list[str] = []  # Names of those without their organ, and why.

    @property
    def paths(self) -> list[Path]:
        """The images named, in order."""
        return list(self._paths)

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
        self.unfit.clear()
        names, images = [], []
        ahead = max(batch_size, 2 * _WORKERS)
        for path, image in zip(self._paths, ordered_map(self._read, self._paths, _WORKERS, ahead), strict=True):
            if image is None:
                self.skipped.append(path.as_posix())
                continue
            if isinstance(image, OrganNotFound):
                self.unfit.append(f"{path.as_posix()} ({image})")
                continue
            names.append(path.as_posix())
            images.append(image)
            if len(images) == batch_size:
                yield unlabelled_batch(names, images)
                names, images = [], []
        if images:
            yield unlabelled_batch(names, images)

    def _read(self, path: Path) -> np.ndarray | OrganNotFound | None:
        """(H, W) uint16; None if the image is unreadable and may be skipped."""
        try:
            return resize(self._cut(read_image(path)), self._size)
        except OrganNotFound as error:
            return error
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


def given_batches(
    images: GivenImage | Iterable[GivenImage], image_shape: tuple[int, int, int], batch_size: int, cut: Cut = whole
) -> Iterator[dict[str, np.ndarray]]:
    """All images once, in order, resized to what a detector takes.

    Args:
      images: one array or path, or any iterable of them. A path is a file, or a folder that is searched at any depth. An array
        is one image (H, W) or (H, W, C), or several (N, H, W) or (N, H, W, C), with C 1, 3 or 4: an array of three axes whose
        last is 3 or 4 long is one colour image. uint8 or uint16. Colour becomes luminance, and a fourth channel is dropped.
      image_shape: (H, W, 1).
      batch_size: at most so many images per batch.
      cut: see `ImageStream`.

    Yields:
      What `ImageStream.batches` yields. An array's name is its number, from "0" on; a file's is its path.

    Raises:
      UserError: a file that cannot be read, a folder without images, an array that is no image, or a film without its organ (says
        which).
    """
    names: list[str] = []
    rows: list[np.ndarray] = []
    for number, (name, image) in enumerate(_each(images)):
        names.append(name or str(number))
        try:
            rows.append(resize(cut(image), image_shape[:2]))
        except OrganNotFound as error:
            raise UserError(f"image {names[-1]}: {error}; leave it out") from error
        if len(rows) == batch_size:
            yield unlabelled_batch(names, rows)
            names, rows = [], []
    if rows:
        yield unlabelled_batch(names, rows)


def _each(images: GivenImage | Iterable[GivenImage]) -> Iterator[tuple[str, np.ndarray]]:
    """(name, (H, W) uint16) of every image; the name of an array is empty."""
    if isinstance(images, (str, os.PathLike)):
        yield from _files(images)
    elif isinstance(images, np.ndarray):
        several = images.ndim == 4 or (images.ndim == 3 and images.shape[-1] not in (3, 4))
        for image in images if several else images[np.newaxis]:
            yield "", grey(image)
    else:
        for one in images:
            yield from _files(one) if isinstance(one, (str, os.PathLike)) else [("", grey(np.asarray(one)))]


def _files(path: str | os.PathLike) -> Iterator[tuple[str, np.ndarray]]:
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the path")
    found = find_images(path) if path.is_dir() else [path]
    if not found:
        raise UserError(f"{path}: no images in this folder; check the path")
    for file in found:
        yield file.as_posix(), read_image(file)


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8 or uint16 -> (H, W) uint16, as `decode.read_image` reads a file of it.

    Raises:
      UserError: another shape or type. Floating-point pixels have no fixed range.
    """
    colours = image.shape[2] if image.ndim == 3 else 1
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or colours not in (1, 3, 4) or not image.size:
        raise UserError(
            f"an array of shape {image.shape} and type {image.dtype} is no image; give (H, W) or (H, W, C), C 1, 3 or 4, "
            "of uint8 or uint16"
        )
    if colours == 1:
        values = image.reshape(image.shape[:2])
    elif image.dtype == np.uint8:
        values = np.asarray(Image.fromarray(np.ascontiguousarray(image[..., :3])).convert("L"))
    else:
        values = np.rint(image[..., :3] @ _LUMINANCE).astype(np.uint16)
    return values.astype(np.uint16) * np.uint16(257 if values.dtype == np.uint8 else 1)
