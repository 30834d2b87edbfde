"""Metrics of scores: the separation of anomalous images from normal ones."""

import numpy as np
from sklearn import metrics as sk

from fanogan_tf.detection.score_table import ScoreTable

NORMAL, ANOMALOUS, UNKNOWN = 0, 1, -1
UNKNOWN_CLASS = "unknown"


def at_threshold(labels: np.ndarray, scores: np.ndarray, threshold: float, weights: np.ndarray | None = None) -> dict:
    """Precision, sensitivity, specificity and F score of the rule score > threshold.

    Args:
      labels: (N,) of 0 and 1.
      scores: (N,).
      threshold: the cut; a score equal to it counts as normal.
      weights: (N,) how often each row counts; None counts each once.

    Returns:
      dict of threshold, precision, sensitivity, specificity, f_score. None: sensitivity without anomalous rows, specificity
      without normal ones, precision and F score unless both are there; precision also if nothing is called anomalous.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    called, positive = scores > threshold, labels == ANOMALOUS
    hits, false_alarms = weights[called & positive].sum(), weights[called & ~positive].sum()
    misses, rejections = weights[~called & positive].sum(), weights[~called & ~positive].sum()
    positives, negatives = hits + misses, false_alarms + rejections
    both = positives > 0 and negatives > 0
    return {
        "threshold": float(threshold),
        "precision": float(hits / (hits + false_alarms)) if both and hits + false_alarms > 0 else None,
        "sensitivity": float(hits / positives) if positives > 0 else None,
        "specificity": float(rejections / negatives) if negatives > 0 else None,
        "f_score": float(2 * hits / (2 * hits + false_alarms + misses)) if both else None,
    }


def youden_threshold(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The cut with the largest sensitivity + specificity - 1 (Youden's index); both labels must be present.

    It is the largest score that is still called normal, so that `score > threshold` makes exactly the best split. Of equally good
    cuts it is the highest. Scores that are no better than chance give the highest score: nothing is called anomalous.
    """
    # scikit-learn's rule is score >= cut. Its first cut is inf, where nothing is called anomalous and the index is 0.
    false_positive_rate, true_positive_rate, cuts = sk.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    # Rounded, or the last bit of a subtraction would choose between ties.
    best = np.argmax(np.round(true_positive_rate - false_positive_rate, 12))
    # Never empty: the lowest cut calls everything anomalous, has index 0 too, and argmax takes the first of equals.
    return float(scores[scores < cuts[best]].max())


def image_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict:
    """Image-level figures; rows with label -1 are left out.

    Args:
      labels: (N,) 0 normal, 1 anomalous, -1 unknown.
      scores: (N,) finite.
      threshold: the calibrated one.

    Returns:
      dict of auroc, average_precision, youden and operating_point, the last two as of `at_threshold`. The first three are None
      unless both labels are present.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    known = labels != UNKNOWN
    labels, scores = labels[known], scores[known]
    both = len(np.unique(labels)) == 2
    return {
        "auroc": float(sk.roc_auc_score(labels, scores)) if both else None,
        "average_precision": float(sk.average_precision_score(labels, scores)) if both else None,
        "youden": at_threshold(labels, scores, youden_threshold(labels, scores)) if both else None,
        "operating_point": at_threshold(labels, scores, threshold),
    }


def class_rows(table: ScoreTable) -> dict[str, np.ndarray]:
    """Class name -> (N,) bool, the rows of that class: classes with normal images first, then by name."""
    names = np.array([name or UNKNOWN_CLASS for name in table.class_name.tolist()])
    rows = {str(name): names == name for name in np.unique(names)}
    return dict(sorted(rows.items(), key=lambda item: (not is_normal_class(table, item[1]), item[0])))


def is_normal_class(table: ScoreTable, rows: np.ndarray) -> bool:
    """Whether these rows hold images labelled normal."""
    return bool((table.label[rows] == NORMAL).any())


def per_class(table: ScoreTable) -> dict[str, dict]:
    """Figures of each class, in the order of `class_rows`.

    Returns:
      class name -> dict of images, mean_score, median_score, share_anomalous (of its images called anomalous, in [0, 1]) and
      auroc: of its anomalous images against all normal ones, None for a normal class and where either kind is missing.
    """
    result = {}
    normal = table.label == NORMAL
    for name, rows in class_rows(table).items():
        chosen = normal | (rows & (table.label == ANOMALOUS))
        comparable = not is_normal_class(table, rows) and len(np.unique(table.label[chosen])) == 2
        result[name] = {
            "images": int(rows.sum()),
            "mean_score": float(table.score[rows].mean()),
            "median_score": float(np.median(table.score[rows])),
            "share_anomalous": float(table.anomalous[rows].mean()),
            "auroc": float(sk.roc_auc_score(table.label[chosen], table.score[chosen])) if comparable else None,
        }
    return result


def per_term(table: ScoreTable) -> dict[str, dict]:
    """What each residual would tell by itself.

    Returns:
      name of each term that the method has -> dict of mean_normal, mean_anomalous and auroc; None where a kind of image is
      missing.
    """
    normal, anomalous = table.label == NORMAL, table.label == ANOMALOUS
    known = normal | anomalous
    result = {}
    for name, term in table.terms().items():
        result[name] = {
            "mean_normal": float(term[normal].mean()) if normal.any() else None,
            "mean_anomalous": float(term[anomalous].mean()) if anomalous.any() else None,
            "auroc": float(sk.roc_auc_score(table.label[known], term[known])) if normal.any() and anomalous.any() else None,
        }
    return result
