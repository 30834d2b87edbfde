"""The finder of an organ in films: a U-Net, its masks cleaned and judged, and films cut by them; all in the graph.

It comes out of `fanogan lungs train`. A detector whose films are cut by it holds it too (`Front`), and so does what is exported.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf.data import organ
from fanogan_tf.data.organ import FILM, MARGIN, OrganNotFound, cut
from fanogan_tf.data.pixels import resize, resize_in_graph, to_signed
from fanogan_tf.data.standardise import standardised
from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import tf_variables
from fanogan_tf.networks.unet import UNet
from fanogan_tf.options import Options

# The U-Net sees films at half their sides.
GRID = FILM // 2
# Pieces of a mask that are kept: the largest, and one more that is not a crumb beside it.
_BESIDE = 1 / 8
# A piece counts as a part of the organ from this share of the film on.
_PART = 0.01
# What training showed is widened by this share of it.
_SLACK = 0.2
SETTINGS_FILE, _WEIGHTS = "finder.json", "weights"
# In a run of `fanogan lungs train`.
FOLDER = "finder"


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the organ is like in films that are judged fit.

    Attributes:
      area: least and largest share of the film.
      balance: least share of the organ in the poorer half of its box, left or right.
      parts: most parts.
    """

    area: tuple[float, float]
    balance: float
    parts: int

    @classmethod
    def of(cls, shapes: dict[str, np.ndarray]) -> "Limits":
        """The limits that training masks show. shapes: what `shape_of` returns, as arrays (N,)."""
        areas = shapes["area"]
        least = (1.0 - _SLACK) * float(areas.min())
        largest = min((1.0 + _SLACK) * float(areas.max()), 1.0)
        return cls((least, largest), (1.0 - _SLACK) * float(shapes["balance"].min()), int(shapes["parts"].max()))

    def fit(self, shape: dict[str, tf.Tensor]) -> tf.Tensor:
        """Whether each of the organs is like those of training: (B,) bool."""
        by_area = (shape["area"] >= self.area[0]) & (shape["area"] <= self.area[1])
        return by_area & (shape["balance"] >= self.balance) & (shape["parts"] >= 1) & (shape["parts"] <= self.parts)

    def why_not(self, shape: dict[str, float]) -> str:
        """What speaks against one organ, in words."""
        low, high = self.area
        if shape["parts"] < 1:
            return "no lungs found"
        if not low <= shape["area"] <= high:
            return f"lungs of {shape['area']:.0%} of the film, in training {low:.0%} to {high:.0%}"
        if shape["balance"] < self.balance:
            return f"one side is {shape['balance']:.0%} of the lungs, in training at least {self.balance:.0%}"
        return f"lungs in {shape['parts']:.0f} parts, in training at most {self.parts}"


def pieces(masks: tf.Tensor) -> tf.Tensor:
    """Numbers the connected pieces (8 neighbours) of masks (B, H, W) bool: (B, H, W) int32.

    0 outside; inside, the place of the piece's last pixel from 1 on.
    """
    count, height, width = tf.shape(masks)[0], masks.shape[1], masks.shape[2]
    inside = tf.cast(masks, tf.float32)
    # Whole numbers that float32 holds: pooling has no kernel for int32.
    first = inside * tf.reshape(tf.range(1.0, height * width + 1.0), [1, height, width])

    def spread(numbers: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        around = inside * tf.nn.max_pool2d(numbers[..., None], 3, 1, "SAME")[..., 0]
        # A pixel's number names a pixel of its piece, which may know a later one already.
        flat = tf.pad(tf.reshape(around, [count, height * width]), [[0, 0], [1, 0]])
        later = tf.gather(flat, tf.cast(flat, tf.int32), batch_dims=1)[:, 1:]
        return tf.reshape(later, tf.shape(numbers)), numbers

    numbers, _ = tf.while_loop(
        lambda numbers, before: tf.reduce_any(numbers != before), spread, spread(first, first), parallel_iterations=1
    )
    return tf.cast(numbers, tf.int32)


def cleaned(masks: tf.Tensor) -> tf.Tensor:
    """The largest piece of each mask (B, H, W) bool, and the second where it is at least an eighth of it; the rest goes."""
    numbers, areas = _areas(masks)
    found, which = tf.math.top_k(areas, 2)
    second = tf.where(tf.cast(found[:, 1], tf.float32) >= _BESIDE * tf.cast(found[:, 0], tf.float32), which[:, 1], which[:, 0])
    kept = (numbers == which[:, :1, None]) | (numbers == second[:, None, None])
    return masks & kept


def _areas(masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`pieces`, and the pixels of each by its number: (B, H W + 1) int32, 0 at 0."""
    numbers = pieces(masks)
    count, most = tf.shape(masks)[0], masks.shape[1] * masks.shape[2] + 1
    places = numbers + most * tf.range(count)[:, None, None]
    areas = tf.math.unsorted_segment_sum(tf.cast(tf.reshape(masks, [-1]), tf.int32), tf.reshape(places, [-1]), count * most)
    return numbers, tf.reshape(areas, [count, most])


def shape_of(masks: tf.Tensor) -> dict[str, tf.Tensor]:
    """What `Limits` speak of, of masks (B, H, W) bool: area and balance (B,) float32, parts (B,) int32."""
    pixels = masks.shape[1] * masks.shape[2]
    columns = tf.reduce_sum(tf.cast(masks, tf.float32), axis=1)
    area = tf.reduce_sum(columns, axis=1)
    place = tf.range(masks.shape[2], dtype=tf.float32)
    there = columns > 0.0
    first = tf.reduce_min(tf.where(there, place, np.inf), axis=1)
    last = tf.reduce_max(tf.where(there, place, -np.inf), axis=1)
    middle = (first + last) / 2.0
    # A column in the very middle belongs to both halves.
    side = tf.sign(place - middle[:, None])
    left = tf.reduce_sum(columns * (1.0 - side) / 2.0, axis=1)
    share = tf.math.divide_no_nan(left, area)
    _, areas = _areas(masks)
    parts = tf.reduce_sum(tf.cast(areas >= round(_PART * pixels), tf.int32), axis=1)
    return {"area": area / pixels, "balance": tf.minimum(share, 1.0 - share), "parts": parts}


class RegionFinder:
    """A trained U-Net that finds an organ in films.

    Attributes:
      network: (B, GRID, GRID, 1), each image standardised -> logits that a pixel is of the organ.
      dim: its width.
      limits: of films that are fit to be scored.
    """

    def __init__(self, dim: int, limits: Limits, network: UNet | None = None):
        self.dim, self.limits = dim, limits
        self.network = network or unet(dim)
        films = tf.TensorSpec((None, FILM, FILM, 1), tf.float32)
        self._look = tf.function(self.look, autograph=False, input_signature=[films])

    def look(self, films: tf.Tensor) -> dict[str, tf.Tensor]:
        """Looks at films (B, FILM, FILM, 1) in [-1, 1], in a graph.

        Returns:
          region (B, FILM, FILM) bool; what `shape_of` returns; found (B,) bool, whether the organ is within the limits.
        """
        logits, _ = self.network(prepared(films), training=False)
        masks = cleaned(logits[..., 0] > 0.0)
        shape = shape_of(masks)
        region = tf.repeat(tf.repeat(masks, FILM // GRID, axis=1), FILM // GRID, axis=2)
        return {"region": tf.ensure_shape(region, (None, FILM, FILM)), **shape, "found": self.limits.fit(shape)}

    @property
    def name(self) -> str:
        """What tells it from another, of other weights or limits."""
        sum = hashlib.sha256(json.dumps(dataclasses.asdict(self.limits)).encode())
        for variable in tf_variables(self.network):
            sum.update(variable.numpy().tobytes())
        return sum.hexdigest()

    def find(self, image: np.ndarray) -> np.ndarray:
        """Finds the organ in a film (FILM, FILM) uint16: (FILM, FILM) bool.

        Raises:
          OrganNotFound: it is not there, or not as in training.
        """
        seen = self._look(tf.convert_to_tensor(to_signed(image)[None, ..., None]))
        if not bool(seen["found"][0]):
            raise OrganNotFound(self.limits.why_not({name: float(seen[name][0]) for name in ("area", "balance", "parts")}))
        return np.asarray(seen["region"][0])

    def save(self, folder: Path) -> None:
        """Writes it into `folder`, which is there."""
        settings = {"dim": self.dim, "limits": dataclasses.asdict(self.limits)}
        tf.train.Checkpoint(network=tf_variables(self.network)).write(str(Path(folder) / _WEIGHTS))
        (Path(folder) / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "RegionFinder":
        """The reverse of `save`.

        Raises:
          UserError: there is none.
        """
        path = Path(folder) / SETTINGS_FILE
        if not path.is_file():
            raise UserError(f"{folder}: no trained finder of lungs here; fanogan lungs train makes one")
        settings = json.loads(path.read_text(encoding="utf-8"))
        limits = settings["limits"]
        finder = cls(settings["dim"], Limits(tuple(limits["area"]), limits["balance"], limits["parts"]))
        saved = tf.train.Checkpoint(network=tf_variables(finder.network))
        saved.read(str(Path(folder) / _WEIGHTS)).assert_existing_objects_matched()
        return finder


def unet(dim: int) -> UNet:
    """The U-Net of a finder, with first weights."""
    shape = (GRID, GRID, 1)
    network = UNet(shape, dim)
    network(tf.zeros((1, *shape)))
    return network


def prepared(films: tf.Tensor) -> tf.Tensor:
    """Films (B, FILM, FILM, 1) as the U-Net sees them: (B, GRID, GRID, 1), each standardised by itself."""
    return standardised(tf.nn.avg_pool2d(films, FILM // GRID, FILM // GRID, "VALID"), "image")


@dataclasses.dataclass(frozen=True)
class Front:
    """What stands before a detector whose films are cut by a finder. how: see `organ.cut`."""

    finder: RegionFinder
    how: str

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Cuts a film (H, W) uint16 of any size, after bringing it to FILM: (h, w) uint16.

        Raises:
          OrganNotFound: see `RegionFinder.find`.
        """
        film = resize(image, (FILM, FILM))
        part, _ = cut(film, self.finder.find(film), self.how)
        return part

    def box(self, image: np.ndarray) -> tuple[int, int, int, int] | None:
        """Where `cut` crops a film (H, W) uint16, see `organ.box`, on it at FILM x FILM; None where it crops none.

        Raises:
          OrganNotFound: see `RegionFinder.find`.
        """
        return organ.box(self.finder.find(resize(image, (FILM, FILM)))) if self.how == "crop" else None

    def cut_in_graph(self, levels: tf.Tensor, size: tuple[int, int]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Cuts, and brings to `size`, films (B, FILM, FILM, 1) float32, whole numbers in 0 .. 65535.

        Returns:
          (B, *size, 1) float32, whole numbers in 0 .. 65535; and of each film `region_found` (B,) bool, whether the organ was
          found, and, where it is cropped, `region_box` (B, 4) int32, see `box`. Where the organ was not found, the film is cut by
          what was taken for it.
        """
        seen = self.finder.look(tf.cast(tf.cast(levels, tf.float64) / 32767.5, tf.float32) - 1.0)

        def one(parts: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            film, region = parts
            if self.how == "cut_out":
                return resize_in_graph(tf.where(region, film, 0.0), size), tf.constant((0, 0, FILM, FILM))
            top, left, bottom, right = _box(region)
            return resize_in_graph(film[top:bottom, left:right], size), tf.stack([top, left, bottom, right])

        specs = tf.TensorSpec(size, tf.float32), tf.TensorSpec((4,), tf.int32)
        cut_films, boxes = tf.map_fn(one, (levels[..., 0], seen["region"]), fn_output_signature=specs)
        said = {"region_found": seen["found"]} | ({"region_box": boxes} if self.how == "crop" else {})
        return cut_films[..., None], said

    def save(self, folder: Path) -> None:
        """Writes it as `folder`, which is new."""
        Path(folder).mkdir()
        self.finder.save(folder)
        (Path(folder) / "front.json").write_text(json.dumps({"how": self.how}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Front":
        """The reverse of `save`."""
        settings: dict[str, Any] = json.loads((Path(folder) / "front.json").read_text(encoding="utf-8"))
        return cls(RegionFinder.load(folder), settings["how"])


def finder_of(options: Options) -> RegionFinder:
    """The finder that `--region_from` names. Raises what `RegionFinder.load` does."""
    return RegionFinder.load(Path(options.region_from) / FOLDER)


def front_of(options: Options) -> Front | None:
    """What stands before a detector of films that are cut by a finder; None where no film is, or masks tell."""
    if options.region == "none" or not options.region_from:
        return None
    return Front(finder_of(options), options.region)


def _box(region: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """`organ.box`, in a graph."""
    height, width = region.shape

    def ends(there: tf.Tensor, length: int) -> tuple[tf.Tensor, tf.Tensor]:
        places = tf.cast(tf.where(there)[:, 0], tf.int32)
        first, behind = tf.reduce_min(places), tf.reduce_max(places) + 1
        margin = (MARGIN * (behind - first) + 50) // 100
        return tf.maximum(first - margin, 0), tf.minimum(behind + margin, length)

    def found() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        (top, bottom), (left, right) = ends(tf.reduce_any(region, 1), height), ends(tf.reduce_any(region, 0), width)
        return top, left, bottom, right

    whole = tuple(map(tf.constant, (0, 0, height, width)))
    top, left, bottom, right = tf.cond(tf.reduce_any(region), found, lambda: whole)
    return top, left, bottom, right
