"""The lungs of any films as files: masks, and pictures to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fanogan_tf import files
from fanogan_tf.data.decode import read_image
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.data.organ import FILM, OrganNotFound
from fanogan_tf.data.pixels import resize, resize_mask, to_signed
from fanogan_tf.detection.maps import inside, overlay
from fanogan_tf.detection.regions import RegionFinder

# How strongly the lungs are painted.
_TINT = 0.15


def segment(finder: RegionFinder, paths: Sequence[Path], output: Path) -> tuple[int, list[str]]:
    """Writes NAME.mask.png, of the film's own size, 255 in the lungs, and NAME.overlay.png for every film.

    Files lie in `output` as the films lie in their folders.

    Returns:
      the number of films, and of those whose lungs were not found, or look like none of training, name and reason: of these no
      mask is written.

    Raises:
      UserError: a path that does not exist, or a file that cannot be read.
    """
    found = ImageStream(paths, (FILM, FILM, 1)).paths
    unfit = []
    for path in tqdm(found, desc="lungs", unit="film"):
        image = read_image(path)
        film = resize(image, (FILM, FILM))
        try:
            region = finder.find(film)
        except OrganNotFound as error:
            unfit.append(f"{path} ({error})")
            continue
        name = output / inside(path.as_posix())
        mask = resize_mask(region, image.shape)
        _save(name.with_name(f"{name.name}.mask.png"), mask.astype(np.uint8) * np.uint8(255))
        _save(name.with_name(f"{name.name}.overlay.png"), overlay(to_signed(film)[..., None], _TINT * region.astype(np.float32)))
    return len(found), unfit


def _save(path: Path, pixels: np.ndarray) -> None:
    with files.whole_file(path) as temporary:
        Image.fromarray(pixels).save(temporary)
