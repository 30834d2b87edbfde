"""Counts of residuals, or of other maps, against masks: how well they find anomalous pixels, and whole lesions.

Counts over pixels weigh a large lesion more than a small one; counts over regions weigh them alike. A region is a connected piece
of a mask; pixels that touch at a corner are connected.

All counts are histograms over residual levels, so their size does not grow with the number of images. Their `state` is a dict of
arrays, from which `from_state` makes the same counts again.
"""

import dataclasses

import numpy as np
from scipy import integrate, ndimage
from sklearn import metrics as sk

from fanogan_tf.evaluation import metrics

LEVELS = 65_536
LARGEST = 2.0  # images lie in [-1, 1]
_STEP = LARGEST / (LEVELS - 1)
# The share of normal pixels that may exceed the threshold of hits: a specificity of 95 %.
FALSE_POSITIVES = 0.05
# Eight neighbours within an image, none between the images of a batch.
_NEIGHBOURS = np.stack([np.zeros((3, 3), bool), np.ones((3, 3), bool), np.zeros((3, 3), bool)])


class PixelCounts:
    """Counts the pixels at each of 65,536 residual levels, anomalous ones and normal ones apart."""

    def __init__(self) -> None:
        self._normal = np.zeros(LEVELS, np.int64)
        self._anomalous = np.zeros(LEVELS, np.int64)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that was counted."""
        return {"normal": self._normal, "anomalous": self._anomalous}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> "PixelCounts":
        """Makes the counts that had this `state`."""
        counts = cls()
        counts._normal, counts._anomalous = state["normal"].copy(), state["anomalous"].copy()
        return counts

    def update(self, residual: np.ndarray, mask: np.ndarray, counted: np.ndarray | None = None) -> None:
        """Counts some images in.

        Args:
          residual: (B, H, W, 1) in [0, 2].
          mask: (B, H, W, 1), 1 where a pixel is anomalous, 0 elsewhere.
          counted: (B, H, W, 1) bool, False where a pixel is neither and is left out; None counts all.

        Raises:
          ValueError: the shapes differ, or a residual is NaN.
        """
        levels, marked = to_levels(residual, mask)
        if counted is not None:
            levels, marked = levels[counted], marked[counted]
        self._anomalous += np.bincount(levels[marked], minlength=LEVELS)
        self._normal += np.bincount(levels[~marked], minlength=LEVELS)

    def result(self) -> dict | None:
        """auroc, average_precision, youden, pixels and anomalous_pixels.

        youden is as of `metrics.at_threshold`, its threshold a residual in [0, 2]. None if there is no
        anomalous pixel, or no normal one.
        """
        if not self._anomalous.any() or not self._normal.any():
            return None
        labels, levels, counts = self._weighted()
        best = metrics.youden_threshold(labels, levels, counts)
        youden = metrics.at_threshold(labels, levels, best, counts)
        youden["threshold"] = above_level(int(best))
        return {
            "auroc": float(sk.roc_auc_score(labels, levels, sample_weight=counts)),
            "average_precision": float(sk.average_precision_score(labels, levels, sample_weight=counts)),
            "youden": youden,
            "pixels": int(counts.sum()),
            "anomalous_pixels": int(self._anomalous.sum()),
        }

    def roc_curve(self) -> tuple[np.ndarray, np.ndarray]:
        """False positive rates and true positive rates, ascending; both kinds of pixel must have been counted."""
        labels, levels, counts = self._weighted()
        false_positive_rate, true_positive_rate, _ = sk.roc_curve(labels, levels, sample_weight=counts)
        return false_positive_rate, true_positive_rate

    def _weighted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """labels, levels and counts of all levels that occur, each (M,)."""
        normal, anomalous = np.flatnonzero(self._normal), np.flatnonzero(self._anomalous)
        labels = np.repeat([metrics.NORMAL, metrics.ANOMALOUS], [len(normal), len(anomalous)])
        levels = np.concatenate([normal, anomalous]).astype(np.float64)
        counts = np.concatenate([self._normal[normal], self._anomalous[anomalous]]).astype(np.float64)
        return labels, levels, counts


class RegionCounts:
    """Counts regions at each of 65,536 residual levels, about 1 MB for each kind of lesion, and the normal pixels beside them."""

    def __init__(self) -> None:
        self._normal = np.zeros(LEVELS, np.int64)
        self._tallies: dict[str, _Tally] = {}

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that was counted; the first axis of all arrays but `normal` is over the kinds."""
        tallies = self._tallies.values()
        return {
            "normal": self._normal,
            "kinds": np.array(list(self._tallies), np.str_),
            "regions": np.array([tally.regions for tally in tallies], np.int64),
            "overlap": np.array([tally.overlap for tally in tallies], np.float64).reshape(-1, LEVELS),
            "half": np.array([tally.half for tally in tallies], np.int64).reshape(-1, LEVELS),
        }

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> "RegionCounts":
        """Makes the counts that had this `state`."""
        counts = cls()
        counts._normal = state["normal"].copy()
        for kind, regions, overlap, half in zip(*(state[name] for name in ("kinds", "regions", "overlap", "half")), strict=True):
            counts._tallies[str(kind)] = _Tally(int(regions), overlap.copy(), half.copy())
        return counts

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
            np.sum([tally.overlap for tally in self._tallies.values()], axis=0),
            np.sum([tally.half for tally in self._tallies.values()], axis=0),
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


@dataclasses.dataclass
class Pointing:
    """The pointing game (Zhang et al. 2018): images with anomalous pixels, and those of them whose highest residual lies on one.

    An image with several highest residuals is a hit where the first of them, row by row, is.
    """

    images: int = 0
    hits: int = 0

    def update(self, residual: np.ndarray, mask: np.ndarray) -> None:
        """Counts some images in: (B, H, W, 1) both, see `PixelCounts.update`."""
        flat, marked = residual.reshape(len(residual), -1), mask.reshape(len(mask), -1) > 0.5
        here = marked[np.arange(len(flat)), flat.argmax(axis=1)]
        some = marked.any(axis=1)
        self.images += int(some.sum())
        self.hits += int((here & some).sum())


class MapCounts:
    """All counts of one map: its pixels, its regions and where it is highest.

    `pixels`, `regions`, `pointing`: of the map's values, scaled to [0, 2].
    """

    def __init__(self, largest: float = LARGEST) -> None:
        """`largest`: a map's values are in [0, largest]; higher ones count as that."""
        self.pixels, self.regions, self.pointing = PixelCounts(), RegionCounts(), Pointing()
        self._scale = LARGEST / largest

    def update(self, values: np.ndarray, mask: np.ndarray) -> None:
        """Counts some images in: (B, H, W, 1) both, see `PixelCounts.update`."""
        for counts in (self.pixels, self.regions, self.pointing):
            counts.update(values * self._scale, mask)

    def result(self) -> dict | None:
        """That of the pixels, with `regions` and `pointing`, the other counts'; None where no pixel is anomalous, or all are."""
        found = self.pixels.result()
        return (
            None if found is None else found | {"regions": self.regions.result(), "pointing": dataclasses.asdict(self.pointing)}
        )

    def compared(self) -> dict:
        """What maps of any range are compared by.

        Returns:
          auroc, average_precision, aupro, hit_rate, of the counts of that name, and pointing, the share of the images with
          anomalous pixels in which the map is highest on one; {} where no pixel is anomalous, or all are.
        """
        pixels, regions = self.pixels.result(), self.regions.result()
        if pixels is None or regions is None:
            return {}
        found = {name: pixels[name] for name in ("auroc", "average_precision")}
        found |= {name: regions[name] for name in ("aupro", "hit_rate")}
        return found | {"pointing": self.pointing.hits / self.pointing.images}


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


def to_levels(residual: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The level of each residual, an int from 0 to 65,535, and whether its pixel is marked, both of the arguments' shape.

    Raises:
      ValueError: the shapes differ, or a residual is NaN.
    """
    residual, mask = np.asarray(residual, np.float64), np.asarray(mask)
    if residual.shape != mask.shape:
        raise ValueError(f"residual {residual.shape} and mask {mask.shape} differ in shape")
    if np.isnan(residual).any():
        raise ValueError("a residual is NaN")
    return np.round(np.clip(residual, 0.0, LARGEST) / _STEP).astype(np.int64), mask > 0.5


def above_level(level: int) -> float:
    """The residual that parts `level` from the next: what lies above it was rounded to a higher level."""
    return (level + 0.5) * _STEP


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
    return float(integrate.trapezoid(np.append(y[inside], np.interp(end, x, y)), np.append(x[inside], end)))
