"""What a finished run says, as the tables need it."""

import dataclasses
import functools
import json

import numpy as np
from sklearn.metrics import roc_auc_score

from fanogan_tf.comparison.plan import Job
from fanogan_tf.comparison.running import is_scored
from fanogan_tf.detection import score_table
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.evaluation.metrics import UNKNOWN, at_threshold, youden_threshold
from fanogan_tf.methods import METHODS


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The scores of one run. training_seconds: with the GAN that it stands on. images_per_second: of the scoring."""

    job: Job
    table: ScoreTable
    training_seconds: float
    images_per_second: float

    @functools.cached_property
    def known(self) -> np.ndarray:
        """(N,) bool, the images whose label is known."""
        return self.table.label != UNKNOWN

    def scores(self, kappa: float | None = None) -> np.ndarray:
        """(N,) the run's own score; or A_R + kappa A_D of its residuals."""
        if kappa is None:
            return self.table.score
        return self.table.image_residual + kappa * self.table.feature_residual

    def at_youden(self, kappa: float | None = None) -> dict[str, float | None]:
        """precision, sensitivity, specificity and f_score at the Youden index, and auroc; of the images of known label."""
        labels, scores = self.table.label[self.known], self.scores(kappa)[self.known]
        figures = at_threshold(labels, scores, youden_threshold(labels, scores))
        return figures | {"auroc": float(roc_auc_score(labels, scores))}

    def auroc(self, scores: np.ndarray, names: np.ndarray | None = None) -> float:
        """AUROC of (N,) `scores`, on the images `names` alone where given."""
        rows = self.known if names is None else self.known & np.isin(self.table.image, names)
        return float(roc_auc_score(self.table.label[rows], scores[rows]))


def outcomes(jobs: list[Job]) -> list[Outcome]:
    """Of all jobs that are finished."""
    return [_outcome(job) for job in jobs if is_scored(job)]


def _outcome(job: Job) -> Outcome:
    timing = json.loads(job.run.timing.read_text(encoding="utf-8"))
    seconds = METHODS[job.options.method].training_seconds(job.run)
    return Outcome(job, score_table.read(job.run.scores), sum(seconds.values()), timing["images_per_second"])
