"""How sure a report's figures are: their intervals, the same figures of scores without a model, of groups, and of subgroups."""

import dataclasses
from typing import Any

import numpy as np

from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation import intervals, metrics
from fanogan_tf.evaluation.curve import Curve
from fanogan_tf.evaluation.intervals import Comparison, Interval


@dataclasses.dataclass(frozen=True)
class Labelled:
    """The test images whose label is known, of both kinds.

    Attributes:
      rows: (N,) int, where they stand in the table.
      anomalous: (N,) bool.
      groups: (N,) str, what each belongs to; None where every image stands for itself.
    """

    rows: np.ndarray
    anomalous: np.ndarray
    groups: np.ndarray | None

    @property
    def independent(self) -> bool:
        """Whether no two images belong together."""
        return self.groups is None or len(np.unique(self.groups)) == len(self.groups)


def labelled(table: ScoreTable, groups: np.ndarray | None) -> Labelled | None:
    """The labelled rows of `table`; None unless both kinds are there. groups: (len(table),) or None."""
    rows = np.flatnonzero(table.label != metrics.UNKNOWN)
    anomalous = table.label[rows] == metrics.ANOMALOUS
    if anomalous.all() or not anomalous.any():
        return None
    return Labelled(rows, anomalous, None if groups is None else groups[rows])


def figures(table: ScoreTable, known: Labelled, seed: int) -> dict[str, Any]:
    """The figures of the score with their 95 % intervals.

    Returns:
      method: how the intervals were made, in words. auroc, average_precision, f1_max, sensitivity_at_95, specificity_at_95: each
      a dict of value, low, high and why; f1_max also of threshold.
    """
    curve = Curve(known.anomalous.astype(int), table.score[known.rows])
    groups = _groups(known)
    found = intervals.bootstrap(curve.figures, groups, seed, strata=known.anomalous)
    if known.independent:
        found["auroc"] = intervals.auroc(*_parted(table.score, known))[1]
        method = f"DeLong for the AUROC, {intervals.RESAMPLES:,} bootstrap resamples of the images for the others"
    else:
        method = f"{intervals.RESAMPLES:,} bootstrap resamples of {len(np.unique(groups)):,} groups of images"
    values = curve.figures()
    result: dict[str, Any] = {name: {"value": value} | dataclasses.asdict(found[name]) for name, value in values.items()}
    result["f1_max"]["threshold"] = curve.threshold_of_f1_max()
    return {"method": method} | result


def against(table: ScoreTable, known: Labelled, others: dict[str, np.ndarray], seed: int) -> dict[str, dict]:
    """Other scores of the same images beside the table's.

    Args:
      others: name -> (len(table),).

    Returns:
      name -> dict of auroc, its interval (low, high, why), and difference: the table's AUROC less this one, with low, high, why
      and p, that of no difference (None for images in groups, whose interval is bootstrapped).
    """
    rows = {}
    for name, scores in others.items():
        area, interval = intervals.auroc(*_parted(scores, known))
        if known.independent:
            pairs = zip(_parted(table.score, known), _parted(scores, known), strict=True)
            difference = intervals.compare(*(np.stack(pair) for pair in pairs))
        else:
            interval, difference = _by_groups(table.score, scores, known, seed)
        rows[name] = {"auroc": area} | dataclasses.asdict(interval)
        rows[name]["difference"] = {"value": difference.difference, "p": difference.p} | dataclasses.asdict(difference.interval)
    return rows


def per_class(table: ScoreTable, groups: np.ndarray | None, seed: int) -> dict[str, dict]:
    """Class -> auroc, low, high and why, of its anomalous images against all normal ones; {} for normal classes."""
    result: dict[str, dict] = {}
    normal = table.label == metrics.NORMAL
    for name, rows in metrics.class_rows(table).items():
        chosen = np.flatnonzero(normal | (rows & (table.label == metrics.ANOMALOUS)))
        result[name] = {} if metrics.is_normal_class(table, rows) else _auroc(table, chosen, groups, seed)
    return result


def per_group(table: ScoreTable, groups: np.ndarray) -> dict[str, Any] | None:
    """Groups, such as patients, as units: the score of one is the mean, or the highest, of its images'.

    Returns:
      groups, normal_groups, anomalous_groups; mean and highest: dict of auroc, low, high, why. A group is anomalous if one of its
      images is. None where no two images belong together.
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) == len(groups):
        return None
    rows = [np.flatnonzero(member == i) for i in range(len(names))]
    label = np.array([metrics.UNKNOWN if (table.label[r] == metrics.UNKNOWN).all() else table.label[r].max() for r in rows])
    normal, anomalous = label == metrics.NORMAL, label == metrics.ANOMALOUS
    result: dict[str, Any] = {"groups": len(names), "normal_groups": int(normal.sum()), "anomalous_groups": int(anomalous.sum())}
    for name, join in (("mean", np.mean), ("highest", np.max)):
        scores = np.array([join(table.score[r]) for r in rows])
        result[name] = _value(*intervals.auroc(scores[normal], scores[anomalous])) if normal.any() and anomalous.any() else None
    return result


def subgroups(table: ScoreTable, columns: dict[str, np.ndarray], groups: np.ndarray | None, seed: int) -> list[dict]:
    """The AUROC within each subgroup, such as one view or one sex.

    Args:
      columns: name -> (len(table),) str, the value of each image; numbers of more than six values are parted in three thirds.

    Returns:
      one dict per subgroup: column, value, normal, anomalous, auroc, low, high, why, and share_anomalous, the share of its normal
      images that is called anomalous; None where there are none.
    """
    found = []
    for column, values in columns.items():
        parted = _thirds(values)
        for value in sorted(set(parted.tolist()), key=lambda text: (len(text), text)):
            rows = np.flatnonzero((parted == value) & (table.label != metrics.UNKNOWN))
            normal = rows[table.label[rows] == metrics.NORMAL]
            counts = {"normal": len(normal), "anomalous": len(rows) - len(normal)}
            calls = {"share_anomalous": float(table.anomalous[normal].mean()) if len(normal) else None}
            found.append({"column": column, "value": value} | counts | calls | _auroc(table, rows, groups, seed))
    return found


def _auroc(table: ScoreTable, rows: np.ndarray, groups: np.ndarray | None, seed: int) -> dict[str, Any]:
    part = table.take(rows)
    known = labelled(part, None if groups is None else groups[rows])
    if known is None:
        return {"auroc": None} | dataclasses.asdict(Interval(None, None, "one kind of image is missing"))
    area, interval = intervals.auroc(*_parted(part.score, known))
    if not known.independent:
        curve = Curve(known.anomalous.astype(int), part.score[known.rows])
        interval = intervals.bootstrap(curve.figures, _groups(known), seed, strata=known.anomalous)["auroc"]
    return _value(area, interval)


def _value(area: float, interval: Interval) -> dict[str, Any]:
    return {"auroc": area} | dataclasses.asdict(interval)


def _parted(scores: np.ndarray, known: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """The scores of normal and of anomalous images."""
    chosen = np.asarray(scores, np.float64)[known.rows]
    return chosen[~known.anomalous], chosen[known.anomalous]


def _groups(known: Labelled) -> np.ndarray:
    return np.arange(len(known.rows)) if known.groups is None else known.groups


def _by_groups(scores: np.ndarray, others: np.ndarray, known: Labelled, seed: int) -> tuple[Interval, Comparison]:
    """The interval of the AUROC of `others`, and the comparison with that of `scores`, by one bootstrap of groups."""
    labels = known.anomalous.astype(int)
    curves = Curve(labels, scores[known.rows]), Curve(labels, others[known.rows])

    def areas(counts: np.ndarray | None = None) -> dict[str, float | None]:
        first, second = (curve.figures(counts)["auroc"] for curve in curves)
        return {"other": second, "difference": None if first is None or second is None else first - second}

    found = intervals.bootstrap(areas, _groups(known), seed, strata=known.anomalous)
    return found["other"], Comparison(areas()["difference"] or 0.0, found["difference"], None)


def _thirds(values: np.ndarray) -> np.ndarray:
    """Numbers of more than six values as their thirds, "12 to 40"; other values as they are."""
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        return values
    if len(np.unique(numbers)) <= 6 or not np.isfinite(numbers).all():
        return values
    edges = np.quantile(numbers, [0.0, 1 / 3, 2 / 3, 1.0])
    third = np.searchsorted(edges[1:3], numbers, side="left")
    return np.array([f"{numbers[third == i].min():g} to {numbers[third == i].max():g}" for i in third])
