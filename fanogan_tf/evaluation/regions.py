"""How well the residual |x - G(E(x))| finds whole lesions: a large one weighs as much as a small one.

A region is a connected piece of a mask; pixels that touch at a corner are connected. Figures over regions are sums, so they
are kept in histograms over residual levels, whose size does not grow with the number of regions.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from fanogan_tf.evaluation.pixel import LEVELS, above_level, to_levels

# The share of normal pixels that may exceed the threshold of hits: a specificity of 95 %.
FALSE_POSITIVES = 0.05
# Eight neighbours within an image, none between the images of a batch.
_NEIGHBOURS = np.stack([np.zeros((3, 3), bool), np.ones((3, 3), bool), np.zeros((3, 3), bool)])


@dataclasses.dataclass
class _Tally:
    """Regions of one kind, summed up.

    overlap: (LEVELS,), the share of each region's pixels at a level, summed over regions.
    half: (LEVELS,), how many regions have at least half of their pixels at this level or above, and not at the next.
    """

    regions: int = 0
    overlap: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(LEVELS))
    half: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(LEVELS, np.int64))

    def at(self, level: int) -> dict:
        """The figures where a pixel is called anomalous from `level` on."""
        hits = int(self.half[level:].sum())
        mean_overlap = float(self.overlap[level:].sum() / self.regions)
        return {"regions": self.regions, "hits": hits, "hit_rate": hits / self.regions, "mean_overlap": mean_overlap}


class RegionCounts:
    """Counts regions at each of 65,536 residual levels, about 1 MB for each kind of lesion, and the normal pixels beside them."""

    def __init__(self) -> None:
        self._normal = np.zeros(LEVELS, np.int64)
        self._tallies: dict[str, _Tally] = {}

    def update(
        self,
        residual: np.ndarray,
        mask: np.ndarray,
        kind: np.ndarray | None = None,
        names: tuple[str, ...] = (),
        counted: np.ndarray | None = None,
    ) -> None:
        """Counts some images in.

        Args:
          residual: (B, H, W, 1) in [0, 2].
          mask: (B, H, W, 1), 1 where a pixel is anomalous, 0 elsewhere.
          kind: (B, H, W, 1) uint8, k where a pixel is of `names[k - 1]`, or None. Two kinds that touch are two regions.
          names: of the kinds.
          counted: (B, H, W, 1) bool, False where a pixel is neither normal nor anomalous and is left out; None counts all.

        Raises:
          ValueError: the shapes differ, a residual is NaN, or an anomalous pixel has no kind although kinds are given.
        """
        levels, marked = to_levels(residual, mask)
        normal, inside = ~marked, marked[..., 0]
        if counted is not None:
            normal, inside = normal & counted, inside & counted[..., 0]
        self._normal += np.bincount(levels[normal], minlength=LEVELS)
        for name, piece in _pieces(inside, kind, names).items():
            numbers, count = ndimage.label(piece, _NEIGHBOURS)
            if count:
                self._add(name, numbers[piece] - 1, levels[..., 0][piece])

    def _add(self, name: str, region: np.ndarray, levels: np.ndarray) -> None:
        """Adds regions of one kind. region: (P,), the number of each pixel's region, 0 to R - 1. levels: (P,)."""
        tally = self._tallies.setdefault(name, _Tally())
        sizes = np.bincount(region)
        tally.regions += len(sizes)
        tally.overlap += np.bincount(levels, 1.0 / sizes[region], minlength=LEVELS)
        # Sorted within each region, half of its pixels, rounded up, are the last ones from place size // 2 on.
        ordered = levels[np.lexsort((levels, region))]
        tally.half += np.bincount(ordered[np.cumsum(sizes) - sizes + sizes // 2], minlength=LEVELS)

    def result(self, most_false_positives: float = 0.3) -> dict | None:
        """The figures of all regions counted so far. None if there is no region, or no normal pixel.

        Args:
          most_false_positives: where the curve of `aupro` ends, in (0, 1].

        Returns:
          aupro: the area under the per-region-overlap curve up to `most_false_positives`, divided by that; in [0, 1]. The curve
            is the mean over regions of the share of the region above a threshold, against the share of normal pixels above it
            (Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 129, 2021). A map without any information has
            half of `most_false_positives`: .15 at .3.
          regions: how many. hits: those of which at least half lies above `threshold`; hit_rate = hits / regions.
          mean_overlap: mean over regions of the share of the region above `threshold`.
          threshold: the least residual that at most 5 % of the normal pixels exceed: those of these very images, as for
            sensitivity at 95 % specificity. It is a point of a ROC curve, not a setting that a detector could know beforehand.
          false_positive_rate: the share of normal pixels above `threshold`: .05, less where many have equal residuals.
          per_kind: name of a kind -> its regions, hits, hit_rate and mean_overlap; {} without kinds.
        """
        regions = sum(tally.regions for tally in self._tallies.values())
        if not regions or not self._normal.any():
            return None
        every = _Tally(
            regions,
            sum(tally.overlap for tally in self._tallies.values()),
            sum(tally.half for tally in self._tallies.values()),
        )
        false_positive_rates = _from_level_on(self._normal) / self._normal.sum()
        overlaps = _from_level_on(every.overlap) / regions
        level = int(np.argmax(false_positive_rates <= FALSE_POSITIVES))
        return {
            "aupro": _area(false_positive_rates[::-1], overlaps[::-1], most_false_positives) / most_false_positives,
            **every.at(level),
            "threshold": above_level(level - 1),
            "false_positive_rate": float(false_positive_rates[level]),
            "per_kind": {name: tally.at(level) for name, tally in sorted(self._tallies.items()) if name},
        }


def _pieces(inside: np.ndarray, kind: np.ndarray | None, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Kind -> (B, H, W) bool, its anomalous pixels; all of them as "" without kinds."""
    if kind is None:
        return {"": inside}
    pieces = {name: inside & (kind[..., 0] == code) for code, name in enumerate(names, start=1)}
    if sum(piece.sum() for piece in pieces.values()) != inside.sum():
        raise ValueError(f"an anomalous pixel has a kind outside 1 to {len(names)}")
    return pieces


def _from_level_on(histogram: np.ndarray) -> np.ndarray:
    """(LEVELS,) -> (LEVELS + 1,), what lies at each level or above; at last 0, beyond the highest level."""
    return np.append(np.cumsum(histogram[::-1])[::-1], 0)


def _area(x: np.ndarray, y: np.ndarray, end: float) -> float:
    """The area under straight lines between points of ascending x, from 0 to `end`."""
    inside = x <= end
    return float(np.trapezoid(np.append(y[inside], np.interp(end, x, y)), np.append(x[inside], end)))
