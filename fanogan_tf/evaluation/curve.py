"""The trade-off between a score's two kinds of error, its figures at once for any weighting of images, as a bootstrap needs."""

import numpy as np
from scipy import integrate

# Where sensitivity and specificity are read off.
FIXED = 0.95


class Curve:
    """The ROC and precision-recall curves of labelled scores, sorted once."""

    def __init__(self, labels: np.ndarray, scores: np.ndarray):
        """labels: (N,) 0 normal, 1 anomalous, both of them there. scores: (N,) finite, higher is more anomalous."""
        self._order = np.argsort(-np.asarray(scores), kind="stable")
        ordered = np.asarray(scores)[self._order]
        self._anomalous = np.asarray(labels)[self._order] == 1
        # Images of one score are called alike: a threshold lies behind the last of them.
        self._ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
        self._cuts = ordered[self._ends]

    def figures(self, counts: np.ndarray | None = None) -> dict[str, float | None]:
        """The figures with each image counted `counts` (N,) times; None counts each once.

        Returns:
          auroc; average_precision; f1_max, the largest F score of any threshold; sensitivity_at_95, the largest sensitivity at a
          specificity of at least .95; specificity_at_95, the reverse. All in [0, 1], and None without images of both kinds.
        """
        found = self._calls(counts)
        if found is None:
            return dict.fromkeys(("auroc", "average_precision", "f1_max", "sensitivity_at_95", "specificity_at_95"))
        hits, alarms = found
        sensitivity, fall_out = hits / hits[-1], alarms / alarms[-1]
        before = np.concatenate([[0.0], sensitivity[:-1]])
        precision = np.divide(hits, hits + alarms, out=np.zeros_like(sensitivity), where=hits + alarms > 0)
        area = integrate.trapezoid(np.concatenate([[0.0], sensitivity]), np.concatenate([[0.0], fall_out]))
        return {
            "auroc": float(area),
            "average_precision": float(np.sum((sensitivity - before) * precision)),
            "f1_max": float(np.max(2.0 * hits / (hits + alarms + hits[-1]))),
            # At no false alarm at all, nothing need be found.
            "sensitivity_at_95": float(np.max(sensitivity, initial=0.0, where=fall_out <= 1.0 - FIXED + 1e-12)),
            "specificity_at_95": float(1.0 - np.min(fall_out, initial=1.0, where=sensitivity >= FIXED - 1e-12)),
        }

    def threshold_of_f1_max(self) -> float:
        """The lowest score that is called anomalous where the F score is largest."""
        found = self._calls(None)
        if found is None:
            raise ValueError("images of both kinds are needed")
        hits, alarms = found
        return float(self._cuts[np.argmax(2.0 * hits / (hits + alarms + hits[-1]))])

    def _calls(self, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
        """Of each threshold, from the highest, the anomalous and the normal images called anomalous; None without both kinds."""
        weights = np.ones(len(self._order)) if counts is None else np.asarray(counts, np.float64)[self._order]
        hits = np.cumsum(weights * self._anomalous)[self._ends]
        alarms = np.cumsum(weights * ~self._anomalous)[self._ends]
        return (hits, alarms) if hits[-1] > 0 and alarms[-1] > 0 else None
