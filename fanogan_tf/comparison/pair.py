"""Two scored runs on the images that both scored, by a paired test."""

import numpy as np

from fanogan_tf.detection import score_table
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import measured, reliability
from fanogan_tf.evaluation.intervals import Interval
from fanogan_tf.run_directory import RunDirectory


def compare(run: RunDirectory, other: RunDirectory) -> str:
    """Compares the AUROCs of two scored runs on the images that both scored; returns the lines that tell.

    Raises:
      UserError: they have no labelled images of both kinds in common, or call one of them by another label.
    """
    tables = [score_table.read(one.scores) for one in (run, other)]
    kept = measured.load(run.measured, run.scores, run.detector)
    place = {name: row for row, name in enumerate(tables[1].image.tolist())}
    rows = np.array([row for row, name in enumerate(tables[0].image.tolist()) if name in place], np.int64)
    others = np.array([place[name] for name in tables[0].image[rows].tolist()], np.int64)
    one, two = tables[0].take(rows), tables[1].take(others)
    differing = np.flatnonzero(one.label != two.label)
    if len(differing):
        raise UserError(f"{one.image[differing[0]]}: labelled otherwise in {other.path}; compare runs with one --normal_class")
    known = reliability.labelled(one, kept.belongs[rows] if len(kept.belongs) else None)
    if known is None:
        raise UserError(f"{run.path}, {other.path}: share no labelled images of both kinds; compare runs on one test set")
    found = reliability.against(one, known, {"other": two.score}, 0)["other"]
    difference = found["difference"]
    p = "" if difference["p"] is None else f", p {difference['p']:.2g}"
    spread = str(Interval(difference["low"], difference["high"], difference["why"]))
    return (
        f"AUROC {found['auroc'] + difference['value']:.4f} {run.path}, {found['auroc']:.4f} {other.path}\n"
        f"difference {difference['value']:+.4f}, 95 % interval {spread}{p}, on {int((~known.anomalous).sum())} normal and "
        f"{int(known.anomalous.sum())} anomalous images"
    )
