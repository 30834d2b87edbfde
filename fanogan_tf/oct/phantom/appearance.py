"""The brightness of everything, in the scanner's displayed grey scale (0 to 255); all values are assumed, by eye."""

import dataclasses
import itertools

import numpy as np
from scipy import ndimage

from fanogan_tf.oct.phantom.anatomy import LAYERS, SURFACES, Field, waves
from fanogan_tf.oct.phantom.lesions import Disease, section

VITREOUS = 36.0  # The detector's noise alone; nothing is darker.
GREYS = {
    "RNFL": 172.0,
    "GCL": 128.0,
    "IPL": 139.0,
    "INL": 98.0,
    "OPL": 132.0,
    "ELM": 84.0,  # The outer nuclear layer.
    "MZ": 106.0,
    "EZ": 188.0,
    "OS": 138.0,
    "SRS": 42.0,  # Subretinal fluid.
    "RPE": 208.0,
    "SUBRPE": 72.0,  # What fills a detachment.
    "BM": 165.0,
}
_ELM_LINE = 38.0  # Added along the external limiting membrane.
_CYST, _FOCUS = 42.0, 222.0
_CHOROID = 152.0  # Just below Bruch's membrane.
_VESSEL = 165.0
_EDGE = 1.3  # Rows over which one layer goes over into the next.
_GRAIN = (4, 6)  # The choroid's texture is drawn on a grid coarser by this much in rows and columns.


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """What differs from eye to eye.

    Attributes:
      greys: (layers,) grey values.
      gain: (layers, B, W) slow variation.
      choroid: (B, h, w) texture.
      fading: length in um over which the choroid fades.
      half: (B, W) um, half the height of a vessel; 0 beside vessels.
      shadow: (B, W) share of light below a vessel.
    """

    greys: np.ndarray
    gain: np.ndarray
    choroid: np.ndarray
    fading: float
    half: np.ndarray
    shadow: np.ndarray


def draw_look(rng: np.random.Generator, field: Field, height: int) -> Look:
    """One eye's look, for B-scans of `height` rows."""
    greys = np.array([GREYS[layer] for layer in LAYERS]) * np.clip(rng.normal(1.0, 0.03, len(LAYERS)), 0.93, 1.07)
    signal = 1.0 + 0.03 * waves(rng, field, 0.8)
    gain = np.stack([signal + 0.02 * waves(rng, field, 0.5) for _ in LAYERS]).astype(np.float32)
    coarse = (len(field.y), -(-height // _GRAIN[0]) + 1, -(-len(field.x) // _GRAIN[1]) + 1)
    texture = ndimage.gaussian_filter(rng.standard_normal(coarse, np.float32), (0.6, 1.8, 1.6), mode="wrap")
    texture = np.tanh(1.5 * texture / max(float(texture.std()), 1e-6)).astype(np.float32)
    half, shadow = _vessels(rng, field)
    return Look(greys.astype(np.float32), gain, texture, rng.uniform(150.0, 240.0), half, shadow)


def render(rows: np.ndarray, scan: int, field: Field, look: Look, disease: Disease, height: int, row_height: float) -> np.ndarray:
    """(height, W) float32: the mean grey value of one B-scan, without speckle.

    Args:
      rows: (surfaces, W) the boundaries of this B-scan.
      row_height: um.
    """
    at = np.arange(height, dtype=np.float32)[:, None]
    image = np.full((height, rows.shape[1]), VITREOUS, np.float32)
    first, last = max(int(rows[0].min()) - 3, 0), min(int(rows[-1].max()) + 4, height)
    retina, depth = image[first:last], at[first:last]

    # Adding each boundary's step once makes a layer without thickness vanish by itself.
    levels = look.greys[:, None] * look.gain[:, scan]
    below = np.float32(_CHOROID) * look.gain[-1, scan]
    steps = np.diff(np.concatenate([np.full((1, rows.shape[1]), VITREOUS, np.float32), levels, below[None]]), axis=0)
    for row, step in zip(rows, steps, strict=True):
        retina += step * _beyond(depth - row)
    line = np.float32(_ELM_LINE) * np.exp(-0.5 * ((depth - rows[SURFACES.index("ELM")]) / 1.1) ** 2)
    retina += line
    image[last:] = below
    _choroid(image, at, rows[-1], scan, look, row_height)

    under = _draw_vessels(image, at, rows, scan, look, row_height)
    # In the order in which they hide each other, the same as in `lesions.paint`: cysts last.
    for blobs, grey in ((disease.foci, _FOCUS), (disease.cysts, _CYST)):
        for blob in blobs:
            columns, centre, half = section(blob, rows, scan, field, row_height)
            if columns.start < columns.stop:
                _mix(retina[:, columns], grey, _beyond(half - np.abs(depth - centre)))
    _draw_shadows(image, at, under, scan, look)
    return image


def to_display(grey: np.ndarray, speckle: np.ndarray) -> np.ndarray:
    """uint8 as the scanner shows it: 255 times the fourth root of the intensity, that is the square root of the amplitude.

    Args:
      grey: the mean in the displayed scale, so the mean amplitude is (grey / 255) ** 2. The detector's noise is a complex
        Gaussian like the speckle, so the sum of the two has Rayleigh amplitude too, and one pattern stands for both.
      speckle: amplitude of mean 1.
    """
    return np.clip(np.rint(grey * np.sqrt(speckle)), 0, 255).astype(np.uint8)


def _beyond(rows: np.ndarray) -> np.ndarray:
    """0 well before a boundary, 1 well past it, 0.5 on it."""
    return np.clip(rows * np.float32(1.0 / _EDGE) + np.float32(0.5), 0.0, 1.0)


def _mix(image: np.ndarray, grey: float, share: np.ndarray) -> None:
    image += share * (np.float32(grey) - image)


def _choroid(image: np.ndarray, at: np.ndarray, bottom: np.ndarray, scan: int, look: Look, row_height: float) -> None:
    """Below Bruch's membrane: brightness that fades with depth, with the dark and bright sections of its vessels."""
    first = max(int(bottom.min()), 0)
    part, depth = image[first:], np.maximum(at[first:] - bottom, 0.0) * np.float32(row_height)
    texture = _enlarge(look.choroid[scan], image.shape)[first:]
    # The capillaries next to the membrane are even; the vessels below them are not.
    uneven = np.float32(0.22) * np.clip(depth / 30.0, 0.0, 1.0) * texture
    faded = np.exp(depth / np.float32(-look.fading)) * (1.0 + uneven)
    share = np.where(depth > 0, faded, 1.0)
    part[:] = VITREOUS + (part - VITREOUS) * share


def _enlarge(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation of (h, w) to `shape`, as two small matrix products."""
    down, along = (_weights(size, step, number) for size, step, number in zip(shape, _GRAIN, coarse.shape, strict=True))
    return down @ coarse @ along.T


def _weights(size: int, step: int, number: int) -> np.ndarray:
    return np.maximum(1.0 - np.abs(np.arange(size)[:, None] / step - np.arange(number)[None, :]), 0.0).astype(np.float32)


def _draw_vessels(image: np.ndarray, at: np.ndarray, rows: np.ndarray, scan: int, look: Look, row_height: float) -> np.ndarray:
    """Round sections in the inner retina; returns (W,) the row below which shadows begin."""
    half = look.half[scan] / row_height
    ilm, ganglion = rows[0], rows[SURFACES.index("GCL")]
    middle = ilm + np.maximum(0.5 * (ganglion - ilm), half.max() + 2.0)
    columns = np.flatnonzero(half > 0)
    if len(columns):
        part, below, size = image[:, columns], at - middle[columns], half[columns]
        # A bright upper wall, and blood that dims downwards.
        blood = _VESSEL - 45.0 * np.clip((below + size) / np.maximum(2.0 * size, 1.0), 0.0, 1.0)
        image[:, columns] = part + _beyond(size - np.abs(below)) * (blood - part)
    return middle + half.max()


def _draw_shadows(image: np.ndarray, at: np.ndarray, under: np.ndarray, scan: int, look: Look) -> None:
    """Below a vessel everything is dimmer, but not black."""
    columns = np.flatnonzero(look.shadow[scan] < 1.0)
    if len(columns):
        light = 1.0 - (1.0 - look.shadow[scan, columns]) * _beyond((at - under[columns]) / 4.0)
        image[:, columns] = VITREOUS + (image[:, columns] - VITREOUS) * light


def _vessels(rng: np.random.Generator, field: Field) -> tuple[np.ndarray, np.ndarray]:
    """(half, shadow), each (B, W) float32, of some curves from the disc around the fovea; radii of 16 to 52 um, assumed."""
    half = np.zeros((len(field.y), len(field.x)), np.float32)
    shadow = np.ones_like(half)
    y, x = field.y[:, None].astype(np.float32), field.x[None, :].astype(np.float32)
    for number in range(rng.integers(12, 18)):
        radius = 0.016 + 0.036 * rng.random() ** 2  # mm; most are thin
        far = np.full_like(half, np.inf)
        path = _path(rng, number % 2 * 2 - 1, field.nasal)
        for (y1, x1), (y2, x2) in itertools.pairwise(path):
            dy, dx = y2 - y1, x2 - x1
            along = np.clip(((y - y1) * dy + (x - x1) * dx) / (dy * dy + dx * dx), 0.0, 1.0)
            np.minimum(far, (y - y1 - along * dy) ** 2 + (x - x1 - along * dx) ** 2, out=far)
        far = np.sqrt(far)
        half = np.maximum(half, 1000.0 * np.sqrt(np.clip(radius**2 - far**2, 0.0, None)))
        # A thicker vessel takes more light; at the edge of the shadow it comes back over 40 um.
        light = 1.0 - (0.2 + 5.0 * radius) * np.clip((radius - far) / 0.04 + 0.5, 0.0, 1.0)
        shadow = np.minimum(shadow, light)
    return half.astype(np.float32), shadow.astype(np.float32)


def _path(rng: np.random.Generator, side: int, nasal: int) -> np.ndarray:
    """(points, 2) mm of a curve on one side of the fovea: from the disc outwards, or a branch that runs towards the fovea."""
    along = np.linspace(0.0, 1.0, 24)
    if rng.random() < 0.5:
        x = 3.6 - 7.2 * along
        y = side * (rng.uniform(0.4, 1.2) + rng.uniform(0.6, 2.2) * np.sin(np.pi * np.clip(along * 1.1, 0.0, 1.0)) ** 0.7)
    else:
        turn = rng.uniform(0.15, 0.85) * np.pi
        r = np.linspace(3.8, rng.uniform(0.55, 1.0), 24)
        turns = turn + rng.normal(0.0, 0.25) * (r - 2.0)
        y, x = side * r * np.sin(turns), r * np.cos(turns)
    wander = ndimage.gaussian_filter1d(rng.normal(0.0, 0.25, (24, 2)), 2.0, axis=0)
    points = np.stack([y, x], axis=1) + wander
    # None in the avascular zone.
    radius = np.maximum(np.hypot(*points.T), 1e-3)
    points *= (np.maximum(radius, 0.5) / radius)[:, None]
    return points * [1.0, nasal]
