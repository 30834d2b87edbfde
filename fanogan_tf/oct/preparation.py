"""The preparation of a scanner's volume: normalised, narrowed, flattened retinas, as in the paper (f-AnoGAN, section 3)."""

import dataclasses

import numpy as np

from fanogan_tf.errors import UserError
from fanogan_tf.oct import geometry
from fanogan_tf.oct.surfaces.find import Surfaces, find_surfaces
from fanogan_tf.oct.volume import BOTTOM, TOP, Volume

# Share of the columns in which a file's own surface must be known; the gaps are bridged by straight lines.
_LEAST_KNOWN = 0.5


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How volumes are prepared: columns and height (rows) of the areas; surfaces: `graph_cut`, `shortest_path` or `file`."""

    columns: int = 256
    height: int = 128
    surfaces: str = "graph_cut"


@dataclasses.dataclass(frozen=True, eq=False)
class PreparedVolume:
    """The flattened retinas of one volume, and all that is needed to find the way back.

    areas: (K, height, columns) uint16, the volume's darkest voxel 0 and its brightest 65535. K <= B B-scans that were usable.
    scans: (K,) int, the B-scan that each area comes from.
    top, bottom: (K, columns) int, rows of the surfaces in the scan.
    lesions: (K, height, columns) uint8 codes as in `Volume`, or None.
    shape, spacing: of the scanner's volume: (B, H, W), and millimetres between (B-scans, rows, columns).
    left_out: (B-scan, reason) of those that have no area.
    label: of the eye: 0 normal, 1 anomalous, -1 unknown.
    source: its `make()` gives the scanner's `Volume` once more.
    """

    name: str
    eye: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    areas: np.ndarray
    scans: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    left_out: tuple[tuple[int, str], ...] = ()
    lesions: np.ndarray | None = None
    kinds: tuple[str, ...] = ()
    label: int = -1
    source: object = None

    def in_scanner_geometry(self, maps: np.ndarray) -> np.ndarray:
        """(K, height, columns) maps of the areas -> (B, H, W) float32 in the scanner's own geometry, 0 where there is no area."""
        scans, rows, width = self.shape
        volume = np.zeros((scans, rows, width), np.float32)
        for scan, area, top, bottom in zip(self.scans, maps, self.top, self.bottom, strict=True):
            volume[scan] = geometry.spread(geometry.unflatten(area, top, bottom, rows), width)
        return volume


class NoRetina(UserError):
    """There is no B-scan in which the retina can be found."""


def prepare(volume: Volume, settings: Preparation) -> PreparedVolume:
    """Normalises, reduces the columns, finds the surfaces and flattens.

    B-scans whose surfaces cannot be found are left out, and listed with the reason.

    Raises:
      UserError: a volume narrower than the areas, without contrast, without the surfaces asked for, or without any usable B-scan.
    """
    scans, rows, width = volume.data.shape
    if width < settings.columns:
        raise UserError(
            f"{volume.name}: {width} columns per B-scan, at least {settings.columns} are expected; give --oct_columns={width}"
        )
    darkest, brightest = float(volume.data.min()), float(volume.data.max())
    if darkest == brightest:
        raise UserError(f"{volume.name}: all voxels have the value {darkest:g}; read the volume from the scanner again")
    narrow = geometry.mean(volume.data, settings.columns)
    found = _surfaces(volume, narrow, settings)
    usable = [scan for scan in range(scans) if scan not in found.problems]
    if not usable:
        raise NoRetina(
            f"{volume.name}: no B-scan in which the retina can be found ({found.problems[0]}); is it a macular volume?"
        )

    scale = np.float32(65535 / (brightest - darkest))
    lesions = None if volume.lesions is None else geometry.most(volume.lesions, settings.columns)
    shape = (len(usable), settings.height, settings.columns)
    areas = np.empty(shape, np.uint16)
    codes = None if lesions is None else np.empty(shape, np.uint8)
    top = np.rint(np.clip(found.top[usable], 0, rows - 1)).astype(np.int64)
    bottom = np.maximum(np.rint(np.clip(found.bottom[usable], 0, rows - 1)).astype(np.int64), top)
    for i, scan in enumerate(usable):
        area = geometry.flatten(narrow[scan], top[i], bottom[i], settings.height)
        areas[i] = np.rint((area - darkest) * scale)
        if codes is not None and lesions is not None:
            codes[i] = geometry.flatten_codes(lesions[scan], top[i], bottom[i], settings.height)
    return PreparedVolume(
        name=volume.name,
        eye=volume.eye,
        shape=(scans, rows, width),
        spacing=volume.spacing,
        areas=areas,
        scans=np.array(usable),
        top=top,
        bottom=bottom,
        left_out=tuple(sorted(found.problems.items())),
        lesions=codes,
        kinds=volume.kinds,
    )


def _surfaces(volume: Volume, narrow: np.ndarray, settings: Preparation) -> Surfaces:
    """The surfaces in the columns of `narrow` (B, H, columns), searched for or from the file."""
    if settings.surfaces != "file":
        between, axial, lateral = volume.spacing
        lateral *= volume.data.shape[2] / settings.columns
        if len(narrow) > 1:
            return find_surfaces(narrow, (between, axial, lateral), settings.surfaces)
        # The search is for volumes; a B-scan twice is one of them.
        found = find_surfaces(np.repeat(narrow, 2, axis=0), (between, axial, lateral), settings.surfaces)
        return Surfaces(found.top[:1], found.bottom[:1], {scan: why for scan, why in found.problems.items() if scan == 0})
    for name in (TOP, BOTTOM):
        if name not in volume.surfaces:
            known = ", ".join(volume.surfaces) or "none"
            raise UserError(
                f"{volume.name}: no surface {name} in the file (it has: {known}); take --oct_surfaces=graph_cut to search for it"
            )
    top, bottom = (geometry.mean(volume.surfaces[name], settings.columns) for name in (TOP, BOTTOM))
    problems: dict[int, str] = {}
    for scan in range(len(narrow)):
        for name, rows in ((TOP, top), (BOTTOM, bottom)):
            known = ~np.isnan(rows[scan])
            if known.mean() < _LEAST_KNOWN:
                problems.setdefault(scan, f"the file's surface {name} is known in {100 * known.mean():.0f} % of its columns")
            elif not known.all():
                rows[scan] = np.interp(np.arange(rows.shape[1]), np.flatnonzero(known), rows[scan][known])
        if np.ptp(narrow[scan]) == 0:
            problems[scan] = "all its pixels have one value"
    return Surfaces(top, bottom, problems)
