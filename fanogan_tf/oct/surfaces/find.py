"""The top and the bottom of the retina in an OCT volume."""

import dataclasses
from collections.abc import Callable

import numpy as np

from fanogan_tf.oct.surfaces import cost
from fanogan_tf.oct.surfaces.bruchs_membrane import smooth_bottom
from fanogan_tf.oct.surfaces.search import surface_by_graph_cut, surface_by_shortest_path

METHODS = {"graph_cut": surface_by_graph_cut, "shortest_path": surface_by_shortest_path}

# Lengths are in micrometres; no paper's figures, but chosen on phantoms of seeds below 30.
# Block of the coarse search, and width of the columns that the fine searches work on.
_COARSE_ROW, _COARSE_COLUMN = 20.0, 90.0
_TOP_COLUMN, _BOTTOM_COLUMN = 22.0, 45.0
# Least and most distance between top and bottom: a fovea has about 250, one with cystoid oedema 450 to 510, and fluid below
# the retina comes on top.
_THINNEST, _THICKEST = 110.0, 1200.0
# Steepest surfaces, micrometres of depth per micrometre along the B-scan: first as they are, then against the coarse result.
_SLOPE, _TOP_SLOPE, _BOTTOM_SLOPE = 0.7, 0.5, 0.09
# The same between B-scans, where the eye's motion comes on top.
_SLOPE_BETWEEN, _MOTION = 0.5, 40.0
# How far the fine searches look around the coarse result.
_TOP_REACH, _BOTTOM_REACH = 48.0, 48.0
# What lies this far above the bottom's smooth course has been lifted; how far the rest may stray; the epithelium's thickness.
_LIFTED, _STRAY, _EPITHELIUM = 30.0, 15.0, 17.0
# Brightness (0 = vitreous, 1 = brightest layers) that is more than the vitreous has; as much of it above the top costs as much
# as a full edge is worth when it is this thick.
_BRIGHT, _PASSED = 0.25, 50.0
# Least brightness of the epithelium against both sides where it is in its place.
_LINE = 0.2
# Cost where the bottom cannot be; an edge is worth about 1.
_UNFIT = 20.0
# Least step in brightness at the top, in standard deviations of a B-scan's pixels. Phantoms have 2.0 to 2.9, with a single
# speckle pattern too; the place found in white, uniform or Rayleigh noise has 0.4 at most.
_LEAST_STEP = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Surfaces:
    """The retina's outer surfaces.

    top: (B, W) float32, the row where the inner limiting membrane lies; NaN in B-scans where it was not found.
    bottom: (B, W) float32, the same of Bruch's membrane, where the pigment epithelium ends.
    problems: B-scan -> why there are no surfaces in it.

    Rows are counted at pixel centres: a surface between rows 4 and 5 is at 4.5.
    """

    top: np.ndarray
    bottom: np.ndarray
    problems: dict[int, str]


Search = Callable[..., np.ndarray]


def find_surfaces(data: np.ndarray, spacing: tuple[float, float, float], method: str = "graph_cut") -> Surfaces:
    """Finds the top and the bottom of the retina.

    Coarse first, on blocks of pixels; then around the coarse result at full depth resolution. The bottom is stiff: it passes
    below detachments of the pigment epithelium, as Bruch's membrane does.

    Args:
      data: (B, H, W) uint8, uint16 or float32.
      spacing: millimetres between (B-scans, rows, columns).
      method: "graph_cut", in 3-D, in idea Garvin et al. 2009 (IEEE TMI 28(9)); "shortest_path", each B-scan by itself, faster.

    Raises:
      UserError: "graph_cut" without PyMaxflow.
      ValueError: an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    scans, _, width = data.shape
    problems = {scan: "all pixels have one value" for scan in range(scans) if data[scan].min() == data[scan].max()}
    top, bottom = (np.full((scans, width), np.nan, np.float32) for _ in range(2))

    good = np.array([scan for scan in range(scans) if scan not in problems], int)
    if len(good):
        quick = _Finder(data[good], good, spacing, METHODS["shortest_path"])
        for scan in good[~(quick.step_at(quick.coarse_top()) > _LEAST_STEP)]:
            problems[int(scan)] = "no bright band between dark ones"
        good = np.array([scan for scan in good if scan not in problems], int)
    if len(good):
        top[good], bottom[good] = _Finder(data[good], good, spacing, METHODS[method]).find()
    return Surfaces(top, bottom, dict(sorted(problems.items())))


class _Finder:
    """Finds the surfaces in B-scans that have some. numbers: (B,) places of the B-scans in their volume."""

    def __init__(self, data: np.ndarray, numbers: np.ndarray, spacing: tuple[float, float, float], search: Search):
        self.search, self.numbers = search, numbers
        self.height, self.width = data.shape[1:]
        self.between, self.row, self.column = (1000.0 * size for size in spacing)  # Micrometres.
        self.block = (max(1, round(_COARSE_ROW / self.row)), self._columns(_COARSE_COLUMN))
        small = cost.shrink(data, *self.block)
        dark, bright = cost.levels(small)
        self.small = cost.relative(small, dark, bright).swapaxes(1, 2)
        self.fine_step = self._columns(_TOP_COLUMN)
        image = cost.shrink(data, 1, self.fine_step)  # Only columns are joined: full resolution in depth.
        self.spread = image.std(axis=(1, 2)) / np.maximum(bright - dark, 1e-6)
        self.image = cost.relative(image, dark, bright)

    def find(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows (B, W) of top and bottom."""
        top = self.coarse_top()
        return self.fine_top(top), self.fine_bottom(self.coarse_bottom(top))

    def coarse_top(self) -> np.ndarray:
        """(B, columns of `small`) the block in which the top lies."""
        edges = self._coarse_edges()
        # The first edge from dark to bright: bright blocks above it cost, so that no deeper edge is taken for it.
        bright = np.maximum(self.small - _BRIGHT, 0.0)
        passed = (np.cumsum(bright, axis=2) - bright) * (self.block[0] * self.row / _PASSED)
        return self.search(passed - edges, *self._coarse_limits())

    def coarse_bottom(self, top: np.ndarray) -> np.ndarray:
        """(B, columns of `small`) the first block below the bottom, or below what was lifted off it."""
        small, size = self.small, self.block[0] * self.row
        # From bright to dark, below a bright band that has a dark one above it: photoreceptors and epithelium, or under
        # subretinal fluid the epithelium alone.
        thick = max(1, round(60.0 / size))
        dark = cost.box_above(small, thick)
        band = np.max([cost.box_above(small, k) - cost.later(dark, k) for k in range(1, thick + 1)], axis=0)
        below = (np.arange(small.shape[2]) - top[:, :, None]) * size
        unfit = (below < _THINNEST) | (below > _THICKEST)
        return self.search(np.where(unfit, _UNFIT, self._coarse_edges() - band), *self._coarse_limits(), bend=0.05)

    def step_at(self, top: np.ndarray) -> np.ndarray:
        """(B,) mean step in brightness across the top, 60 um on each side, in standard deviations of the B-scan's pixels."""
        reach = max(1, round(60.0 / (self.block[0] * self.row)))
        padded = np.pad(self.small, ((0, 0), (0, 0), (reach, reach)), mode="edge")
        means = cost.box_above(padded, reach)
        above, below = (np.take_along_axis(means, (top + k)[..., None], axis=2) for k in (reach, 2 * reach))
        return (below - above).mean(axis=(1, 2)) / self.spread

    def fine_top(self, block: np.ndarray) -> np.ndarray:
        """(B, W) rows of the top, from the blocks in which it lies."""
        step, reach = self.fine_step, round(_TOP_REACH / self.row)
        start = self._between_blocks(cost.centres(self.height, self.block[0])[block], step)
        columns = cost.flatten(self.image, start, reach)
        edges = cost.edges(columns, max(8.0 / self.row, 0.7), 25.0 / (step * self.column))
        bright = np.maximum(columns - _BRIGHT, 0.0)
        passed = (np.cumsum(bright, axis=2) - bright) * (self.row / _PASSED)
        found = self.search(passed - edges, *self._limits(_TOP_SLOPE, step * self.column, self.row), bend=0.02)
        return self._to_all_columns(start + cost.refined(edges, found) - reach, step)

    def fine_bottom(self, block: np.ndarray) -> np.ndarray:
        """(B, W) rows of Bruch's membrane, from the first blocks below what looked like it."""
        step, reach = self._columns(_BOTTOM_COLUMN), round(_BOTTOM_REACH / self.row)
        step = max(1, round(step / self.fine_step)) * self.fine_step
        rough = cost.centres(self.height, self.block[0])[block] - self.block[0] / 2
        course = smooth_bottom(rough, self.numbers, (self.between, self.block[1] * self.column), _STRAY / self.row)
        start = self._between_blocks(course, step)
        columns = cost.flatten(cost.shrink(self.image, 1, step // self.fine_step), start, reach)
        rising = cost.edges(columns, max(6.0 / self.row, 0.7), 45.0 / (step * self.column))
        lifted = self._between_blocks(rough, step) < start - _LIFTED / self.row
        # Below subretinal fluid the epithelium is in its place.
        line = cost.bright_line(rising, round(_EPITHELIUM / self.row), reach, round(_LIFTED / self.row))
        detached = (lifted & (line < _LINE))[..., None]
        # Where the epithelium is detached, the membrane lies where the choroid begins: from dark to bright. Elsewhere it ends
        # a bright band; below the photoreceptors' bright line, where it becomes darker too, the epithelium is still to come.
        band = cost.box_above(columns, max(1, round(15.0 / self.row)))
        to_come = cost.highest_below(rising, round(10.0 / self.row), round(45.0 / self.row))
        strength = np.where(detached, rising, 0.5 * band - rising - 0.7 * to_come)
        found = self.search(-strength, *self._limits(_BOTTOM_SLOPE, step * self.column, self.row), bend=0.02)
        edges = np.where(detached, rising, -rising)
        return self._to_all_columns(start + cost.refined(edges, found) - reach, step)

    def _coarse_edges(self) -> np.ndarray:
        padded = np.pad(self.small, ((0, 0), (0, 0), (2, 2)), mode="edge")
        return cost.edges(padded, 1.0, 0.7)[..., 2:-2]

    def _coarse_limits(self) -> tuple[int, np.ndarray]:
        return self._limits(_SLOPE, self.block[1] * self.column, self.block[0] * self.row)

    def _columns(self, length: float) -> int:
        return max(1, round(length / self.column))

    def _between_blocks(self, rows: np.ndarray, step: int) -> np.ndarray:
        """From the blocks' columns to columns of `step` pixels."""
        at, wanted = cost.centres(self.width, self.block[1]), cost.centres(self.width, step)
        return np.clip(cost.resample(rows, at, wanted), 0, self.height - 1)

    def _to_all_columns(self, rows: np.ndarray, step: int) -> np.ndarray:
        wide = cost.resample(rows, cost.centres(self.width, step), np.arange(self.width))
        return np.clip(wide, 0, self.height - 1).astype(np.float32)

    def _limits(self, slope: float, pitch: float, size: float) -> tuple[int, np.ndarray]:
        """Most difference, in rows of `size`, between columns `pitch` apart and between B-scans."""
        between = (_SLOPE_BETWEEN * self.between * np.diff(self.numbers) + _MOTION) / size
        return max(1, round(slope * pitch / size)), np.ceil(between).astype(int)
