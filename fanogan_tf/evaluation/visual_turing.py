"""The visual Turing test: can an expert tell generated images from real normal ones (f-AnoGAN, section 3.1, question 1)?"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.pixels import to_grey
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.random_streams import Stream

REAL, GENERATED = "real", "generated"
COLUMNS = 10
_LEAST_SIDE = 128  # pixels of an image on the sheet, about
_NUMBER_HEIGHT, _NUMBER_SIZE, _GAP = 24, 18, 12  # pixels
_BATCH = 16


def images(detector: Detector, normal: ImageSet, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` real images and as many generated ones, each (count, H, W, 1) in [-1, 1].

    Args:
      detector: generates G(z); z is drawn from `detector.spec.prior`, which the generator was trained on.
      normal: normal images that nothing was trained on, of which the real ones are drawn, each once at most.
      count: images of each kind.
      seed: of both choices.

    Raises:
      UserError: there are fewer real images than `count`.
    """
    if count > len(normal):
        raise UserError(
            f"--images_per_kind={count}: only {len(normal)} normal images were held out from training; take at most that many"
        )
    random = np.random.default_rng([seed, Stream.SHEET_IMAGES])
    real = detector.shown(normal.float_images(np.sort(random.choice(len(normal), count, replace=False))))
    shape = (count, detector.latent_dim)
    z = random.uniform(-1.0, 1.0, shape) if detector.spec.prior == "uniform" else random.standard_normal(shape)
    z = z.astype(np.float32)
    return real, np.concatenate([detector.generate(z[i : i + _BATCH]) for i in range(0, count, _BATCH)])


def sheet(real: np.ndarray, generated: np.ndarray, seed: int, note: str = "") -> tuple[np.ndarray, list[dict]]:
    """Shuffles real and generated images onto one sheet, ten to a row, each under its number.

    Both kinds are treated alike: rounded to 8 bits on the same scale, and enlarged by the same whole factor.

    Args:
      real, generated: (N, H, W, 1) and (M, H, W, 1) in [-1, 1].
      seed: of the order.
      note: what the data are, above the images.

    Returns:
      the sheet, uint8 (rows, columns), and its key: dicts of number, from 1 in reading order, and kind, "real" or "generated".
    """
    grey = to_grey(np.concatenate([real, generated]))[..., 0]
    kinds = [REAL] * len(real) + [GENERATED] * len(generated)
    # Not the stream that drew the images: an order that follows from their choice might be guessed.
    order = np.random.default_rng([seed, Stream.SHEET_ORDER]).permutation(len(grey))
    factor = max(1, round(_LEAST_SIDE / max(grey.shape[1:])))
    height, width = factor * grey.shape[1], factor * grey.shape[2]
    step_down, step_right = _NUMBER_HEIGHT + height + _GAP, width + _GAP
    rows = -(-len(grey) // COLUMNS)
    heading = _NUMBER_HEIGHT if note else 0
    paper = Image.new("L", (COLUMNS * step_right + _GAP, heading + rows * step_down + _GAP), 255)
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(_NUMBER_SIZE)
    pen.text((_GAP, heading - 2), note, fill=0, font=font, anchor="ls")
    for place, i in enumerate(order):
        left, top = _GAP + place % COLUMNS * step_right, heading + _GAP + place // COLUMNS * step_down
        pen.text((left, top + _NUMBER_HEIGHT - 4), str(place + 1), fill=0, font=font, anchor="ls")
        paper.paste(Image.fromarray(np.kron(grey[i], np.ones((factor, factor), np.uint8))), (left, top + _NUMBER_HEIGHT))
    return np.asarray(paper), [{"number": place + 1, "kind": kinds[i]} for place, i in enumerate(order)]


def write(folder: Path, pixels: np.ndarray, key: list[dict]) -> None:
    """Writes a sheet for the expert, `sheet.png`, and the answers apart from it, `key.csv` with the columns number,kind."""
    with files.whole_file(Path(folder) / "key.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("number", "kind"))
        writer.writeheader()
        writer.writerows(key)
    with files.whole_file(Path(folder) / "sheet.png") as temporary:
        Image.fromarray(pixels).save(temporary)
