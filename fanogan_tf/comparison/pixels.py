"""Residuals of the runs against the masks of their test images, counted once and kept."""

import json
from collections.abc import Iterable

import numpy as np

from fanogan_tf import files
from fanogan_tf.comparison.outcomes import Outcome
from fanogan_tf.comparison.variants import TABLE_1
from fanogan_tf.data import sources
from fanogan_tf.detection import kinds
from fanogan_tf.evaluation import report

_MOST_POINTS = 500  # of a curve


def count(outcomes: Iterable[Outcome]) -> dict[str, list[dict]]:
    """Variant -> per seed what `PixelCounts.result` says, and `roc`, its curve; only of variants that restore images.

    Empty where the test images have no masks, or the masks mark nothing.
    """
    counted: dict[str, list[dict]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: _place(outcome.job.variant.name)):
        result = _counted(outcome)
        if result:
            counted.setdefault(outcome.job.variant.name, []).append(result)
    return counted


def _place(name: str) -> int:
    return TABLE_1.index(name) if name in TABLE_1 else len(TABLE_1)


def _counted(outcome: Outcome) -> dict | None:
    run = outcome.job.run
    path = run.path / "pixels.json"
    if path.is_file() and path.stat().st_mtime >= run.scores.stat().st_mtime:
        return json.loads(path.read_text(encoding="utf-8"))
    test = sources.load(outcome.job.options, run.cache).test
    if test.masks is None:
        return None
    counts, _ = report.count_pixels(kinds.load(run.detector), test)
    result = counts.result() if counts is not None else None
    if result:
        curve = np.stack(counts.roc_curve())
        some = np.unique(np.linspace(0, curve.shape[1] - 1, _MOST_POINTS).astype(int))
        result["roc"] = curve[:, some].tolist()
    with files.whole_file(path) as temporary:
        temporary.write_text(json.dumps(result), encoding="utf-8")
    return result
