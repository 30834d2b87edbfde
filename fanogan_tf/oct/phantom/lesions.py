"""Disease: what it does to the layers, and which pixels it takes.

No checked source was found for lesion sizes. ASSUMED diameters and heights, each times a factor of `lesion_scale`:
  cysts: 0.25 to 0.6 mm across and as high as the swollen layer lets them, in a retina that swells by some 60 to 450 um in the
    middle and 20 to 60 um more at each cyst (central thickness with cystoid oedema: about 450 to 510 um, sd 115 to 145);
  subretinal fluid: 1 to 2.4 mm across, a tenth to a fifth of the half width high;
  detachment of the RPE: 0.6 to 1.6 mm across, a fifth to two fifths of the half width high;
  hyperreflective foci: 25 to 40 um across.
Every lesion but a focus spans several B-scans of the 49-B-scan raster.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from fanogan_tf.oct.phantom.anatomy import LAYERS, SURFACES, Field
from fanogan_tf.oct.volume import DETACHMENT, FOCI, INTRARETINAL_FLUID, SUBRETINAL_FLUID

# Which layer a dome of fluid fills.
_SPACES = {SUBRETINAL_FLUID: "SRS", DETACHMENT: "SUBRPE"}
_STIFFNESS = 0.2  # mm; assumed.
# Layers that take up an oedema, and their shares of it.
_SWELLING = {"INL": 0.27, "OPL": 0.13, "ELM": 0.60}


@dataclasses.dataclass(frozen=True)
class Blob:
    """An ellipsoid that follows its layer.

    y, x: its middle, mm from the fovea. ry, rx: half widths, mm. layer: what it lies in. place: of its middle between the
    layer's top, 0, and end, 1. height: its half height, as a share of the layer's thickness, or um if `absolute`.
    """

    y: float
    x: float
    ry: float
    rx: float
    layer: str
    place: float
    height: float
    absolute: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Disease:
    """All lesions of an eye. extra: layer -> (B, W) um that the layer gains. cysts, foci: the lesions inside layers."""

    extra: dict[str, np.ndarray]
    cysts: tuple[Blob, ...] = ()
    foci: tuple[Blob, ...] = ()


def draw_disease(rng: np.random.Generator, field: Field, kinds: tuple[str, ...], scale: tuple[float, float]) -> Disease:
    """Several lesions of every kind in `kinds`."""
    # One generator per kind, so that one kind's lesions are the same whatever the others are.
    streams = dict(zip((INTRARETINAL_FLUID, SUBRETINAL_FLUID, DETACHMENT, FOCI), rng.spawn(4), strict=True))
    extra: dict[str, np.ndarray] = {}
    cysts: tuple[Blob, ...] = ()
    foci: tuple[Blob, ...] = ()
    if SUBRETINAL_FLUID in kinds:
        extra["SRS"] = _domes(streams[SUBRETINAL_FLUID], field, scale, (1, 3), width=(1.0, 2.4), slope=(0.10, 0.22), edge=1.1)
    if DETACHMENT in kinds:
        extra["SUBRPE"] = _domes(streams[DETACHMENT], field, scale, (1, 4), width=(0.6, 1.6), slope=(0.18, 0.40), edge=0.9)
    if INTRARETINAL_FLUID in kinds:
        swelling, cysts = _oedema(streams[INTRARETINAL_FLUID], field, scale)
        extra |= {layer: share * swelling for layer, share in _SWELLING.items()}
    if FOCI in kinds:
        foci = _foci(streams[FOCI], field, scale, cysts)
    return Disease(extra, cysts, foci)


def swell(thickness: np.ndarray, disease: Disease, field: Field) -> np.ndarray:
    """The layers' thickness, (layers, B, W) um, with the disease in it.

    The retina above a dome is stiff: its upper side bulges more smoothly than its lower one, so it is thinner over the dome
    and thicker around its foot.
    """
    swollen = thickness.copy()
    domes = [disease.extra[layer] for layer in _SPACES.values() if layer in disease.extra]
    if domes:
        lifted = sum(domes)
        steps = [abs(axis[1] - axis[0]) if len(axis) > 1 else np.inf for axis in (field.y, field.x)]
        bulge = ndimage.gaussian_filter(lifted, [_STIFFNESS / step for step in steps], mode="nearest")
        neural = swollen[: LAYERS.index("ELM") + 1]
        neural *= np.clip(1.0 + (bulge - lifted) / neural.sum(axis=0), 0.55, 1.6)
    for layer, extra in disease.extra.items():
        swollen[LAYERS.index(layer)] += extra
    return swollen


def paint(
    codes: np.ndarray, rows: np.ndarray, scan: int, field: Field, disease: Disease, kinds: tuple[str, ...], row_height: float
) -> None:
    """Writes the codes of one B-scan's lesions: a pixel is a lesion's if its middle lies in it.

    Args:
      codes: (H, W) uint8 zeros, written.
      rows: (surfaces, W) the boundaries of this B-scan.
      row_height: um.
    """
    at = np.arange(codes.shape[0], dtype=np.float32)[:, None]
    spaces = {kind: _between(rows, layer) for kind, layer in _SPACES.items() if kind in kinds}
    for kind, (top, bottom) in spaces.items():
        codes[(at >= top) & (at < bottom)] = kinds.index(kind) + 1
    for kind, blobs in ((INTRARETINAL_FLUID, disease.cysts), (FOCI, disease.foci)):
        for blob in blobs:
            columns, middle, half = section(blob, rows, scan, field, row_height)
            part = codes[:, columns]
            # A focus beside fluid never hides it.
            part[(np.abs(at - middle) < half) & (part == 0)] = kinds.index(kind) + 1


def section(blob: Blob, rows: np.ndarray, scan: int, field: Field, row_height: float) -> tuple[slice, np.ndarray, np.ndarray]:
    """Where a B-scan cuts a blob: its columns, and for each the middle row and the half height in rows."""
    off = ((field.y[scan] - blob.y) / blob.ry) ** 2
    first, last = np.searchsorted(field.x, [blob.x - blob.rx, blob.x + blob.rx]) if off < 1 else (0, 0)
    columns = slice(int(first), int(last))
    top, bottom = (row[columns] for row in _between(rows, blob.layer))
    inside = np.sqrt(np.clip(1.0 - off - ((field.x[columns] - blob.x) / blob.rx) ** 2, 0.0, 1.0))
    whole = np.float32(1.0 / row_height) if blob.absolute else bottom - top
    return columns, top + blob.place * (bottom - top), (blob.height * inside * whole).astype(np.float32)


def _between(rows: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
    end = SURFACES.index(layer)
    return rows[end - 1], rows[end]


def _middle(rng: np.random.Generator, field: Field, spread: float, size: float) -> tuple[float, float]:
    """(y, x) of a lesion of half width `size`: near the fovea, inside the volume and cut by a B-scan near its middle."""
    y, x = rng.normal(0.0, spread, 2)
    edge = 0.15 * (field.x[-1] - field.x[0])
    x = float(np.clip(x, field.x[0] + edge, field.x[-1] - edge))
    nearest = field.y[np.argmin(np.abs(field.y - y))]
    return float(nearest + np.clip(y - nearest, -0.4 * size, 0.4 * size)), x


def _domes(
    rng: np.random.Generator,
    field: Field,
    scale: tuple[float, float],
    count: tuple[int, int],
    width: tuple[float, float],
    slope: tuple[float, float],
    edge: float,
) -> np.ndarray:
    """(B, W) um: the heights of some flat domes; where two meet, the higher one.

    Args:
      count, width (mm), slope (height / half width): the ranges they are drawn from. edge: larger = flatter at the foot.
    """
    total = np.zeros((len(field.y), len(field.x)))
    for _ in range(rng.integers(count[0], count[1] + 1)):
        factor = rng.uniform(*scale)
        half = 0.5 * rng.uniform(*width) * factor
        y0, x0 = _middle(rng, field, 0.9, half)
        stretch, turn = rng.uniform(0.8, 1.25), rng.uniform(0.0, np.pi)
        dy, dx = field.y[:, None] - y0, field.x[None, :] - x0
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        angle = np.arctan2(across, along)
        # An outline that is not quite an ellipse.
        ripple = 1.0 + sum(rng.normal(0.0, 0.06) * np.cos(k * angle + rng.uniform(0.0, 6.3)) for k in (2, 3, 5))
        far = np.hypot(along / stretch, across * stretch) / (half * np.clip(ripple, 0.75, 1.25))
        total = np.maximum(total, 1000.0 * half * rng.uniform(*slope) * np.clip(1.0 - far**2, 0.0, 1.0) ** edge)
    return total


def _oedema(rng: np.random.Generator, field: Field, scale: tuple[float, float]) -> tuple[np.ndarray, tuple[Blob, ...]]:
    """(B, W) um of swelling, and the cysts."""
    y0, x0 = rng.normal(0.0, 0.15, 2)
    peak, spread = float(np.clip(rng.normal(200.0, 130.0), 60.0, 450.0)), rng.uniform(0.7, 1.1)
    wide = np.exp(-0.5 * (((field.y[:, None] - y0) / spread) ** 2 + ((field.x[None, :] - x0) / spread) ** 2))
    swelling = peak * wide

    cysts: list[Blob] = []
    for _ in range(rng.integers(40, 90)):
        layer = "ELM" if rng.random() < 0.5 else "INL"
        half = 0.5 * (rng.uniform(0.30, 0.60) if layer == "ELM" else rng.uniform(0.25, 0.40)) * rng.uniform(*scale)
        y, x = _middle(rng, field, 0.55 * spread / 0.9 if layer == "ELM" else 0.9, half)
        if any(other.layer == layer and np.hypot(other.y - y, other.x - x) < 0.85 * (other.rx + half) for other in cysts):
            continue  # Cysts of a layer lie beside each other, with septa between.
        stretch = rng.uniform(0.85, 1.18)
        place, height = (rng.uniform(0.42, 0.5), rng.uniform(0.36, 0.42)) if layer == "ELM" else (0.5, rng.uniform(0.38, 0.46))
        cysts.append(Blob(y, x, half * stretch, half / stretch, layer, place, height))
        # Each makes its own room.
        near = ((field.y[:, None] - y) / half) ** 2 + ((field.x[None, :] - x) / half) ** 2
        swelling = swelling + rng.uniform(20.0, 60.0) * np.exp(-0.5 * near)
    return swelling, tuple(cysts)


def _foci(rng: np.random.Generator, field: Field, scale: tuple[float, float], cysts: tuple[Blob, ...]) -> tuple[Blob, ...]:
    """Small spots, mostly just beside cysts, in the outer plexiform and nuclear layers."""
    foci = []
    for _ in range(rng.integers(15, 40)):
        half = 0.5 * rng.uniform(0.025, 0.040) * rng.uniform(*scale)
        y, x = _middle(rng, field, 0.8, half)
        if cysts and rng.random() < 0.7:
            cyst, turn = cysts[rng.integers(len(cysts))], rng.uniform(0.0, 2 * np.pi)
            y, x = cyst.y + 1.1 * cyst.ry * np.sin(turn), cyst.x + 1.1 * cyst.rx * np.cos(turn)
            x = float(np.clip(x, field.x[3], field.x[-4])) if len(field.x) > 6 else x
        # Far smaller than the distance between B-scans: one that is seen lies in a B-scan.
        y = float(field.y[np.argmin(np.abs(field.y - y))])
        layer, place = ("OPL", rng.uniform(0.2, 0.8)) if rng.random() < 0.5 else ("ELM", rng.uniform(0.05, 0.6))
        foci.append(Blob(y, float(x), half, half, layer, place, 1000.0 * half, absolute=True))
    return tuple(foci)
