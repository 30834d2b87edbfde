"""Outcomes of made-up runs, whose scores separate the classes more or less."""

import numpy as np

from fanogan_tf.comparison.runs import Outcome, plan
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.options import Options


def table(names: list[str], labels: list[int], image_residual: list[float], feature_residual: list[float], kappa: float):
    """Makes a score table of A = A_R + kappa A_D."""
    residuals = np.array(image_residual, float), np.array(feature_residual, float)
    nothing = np.full(len(names), np.nan)
    score = residuals[0] + kappa * residuals[1]
    return ScoreTable(
        image=np.array(names),
        label=np.array(labels),
        class_name=np.array([str(label) for label in labels]),
        score=score,
        probability=nothing,
        anomalous=score > 0.5,
        image_residual=residuals[0],
        feature_residual=residuals[1],
        latent_distance=residuals[0],
    )


def outcomes(root, methods, tables, seeds=1, **settings) -> list[Outcome]:
    """Makes one outcome per job, in the order of the plan; `tables`: job -> its score table."""
    planned = plan(root, Options(**{"dataset": "mnist", "kappa": 10.0} | settings), methods, seeds, 0)
    return [Outcome(job, tables(job), training_seconds=60.0 + job.seed, images_per_second=500.0) for job in planned]


def unlabelled(one: ScoreTable) -> ScoreTable:
    """Adds one more image, whose label is unknown."""
    wider = one.take(np.append(np.arange(len(one)), 0))
    wider.image[-1], wider.label[-1] = "z", -1
    return wider
