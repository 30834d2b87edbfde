"""Metrics of OCT volumes: the separation of diseased volumes, B-scans, pixels and lesions from normal ones."""

from collections.abc import Iterable, Sequence

import numpy as np
from sklearn import metrics as sk

from fanogan_tf.errors import UserError
from fanogan_tf.evaluation.metrics import ANOMALOUS, NORMAL, UNKNOWN
from fanogan_tf.evaluation.pixels import PixelCounts, RegionCounts
from fanogan_tf.oct.preparation import PreparedVolume

# The share of a B-scan's pixels, the highest ones, whose mean is its score: a lesion is small beside its B-scan.
HIGHEST_SHARE = 0.01


def volume_metrics(
    volumes: Sequence[PreparedVolume], maps: Iterable[np.ndarray], scores: list[dict], fluid: tuple[str, ...]
) -> dict:
    """The figures of a set of volumes, as floats, ints and None only.

    B-scans, pixels and regions are those of the volumes whose lesions are known. Pixels of a lesion that is no fluid are left
    out: they are neither normal, nor what is searched for.

    Args:
      volumes: the test volumes.
      maps: of each volume the (K, height, columns) pixel map |x - G(E(x))| of its areas, in [0, 2]; gone through once.
      scores: of each volume, in their order: volume, label (-1 unknown), score_mean and score_max, as of `volume_scores.read`.
      fluid: the kinds of lesion that are searched for.

    Returns:
      volumes, normal_volumes, anomalous_volumes: how many.
      auroc_mean, auroc_max: of volumes by score_mean and by score_max.
      scans: dict of scans and anomalous_scans, how many (anomalous: any pixel of fluid), and auroc, by `scan_scores`.
      pixel: `PixelCounts.result()`. regions: `RegionCounts.result()`, its kinds those of `fluid`. A region is one of a B-scan.
      An auroc is None unless there are both kinds; pixel and regions without any fluid.

    Raises:
      UserError: the scores are of other volumes.
    """
    if [row["volume"] for row in scores] != [volume.name for volume in volumes]:
        raise UserError("scores.volumes.csv: the scores are of other volumes than the test volumes; run fanogan score again")
    labels = np.array([row["label"] for row in scores], np.int64)
    pixels, regions = PixelCounts(), RegionCounts()
    anomalous: list[bool] = []
    highest: list[float] = []
    for volume, residual in zip(volumes, maps, strict=True):
        if volume.lesions is None:
            continue
        codes = [code for code, kind in enumerate(volume.kinds, start=1) if kind in fluid]
        mask = np.isin(volume.lesions, codes)
        counted = mask | (volume.lesions == 0)
        images = [array[..., None] for array in (residual, mask, counted, volume.lesions)]
        pixels.update(images[0], images[1], counted=images[2])
        regions.update(images[0], images[1], counted=images[2], kind=images[3], names=volume.kinds)
        anomalous.extend(np.asarray(mask.any(axis=(1, 2))).tolist())
        highest.extend(scan_scores(residual).tolist())
    return {
        "volumes": len(volumes),
        "normal_volumes": int((labels == NORMAL).sum()),
        "anomalous_volumes": int((labels == ANOMALOUS).sum()),
        "auroc_mean": _auroc(labels, [row["score_mean"] for row in scores]),
        "auroc_max": _auroc(labels, [row["score_max"] for row in scores]),
        "scans": {"scans": len(anomalous), "anomalous_scans": sum(anomalous), "auroc": _auroc(anomalous, highest)},
        "pixel": pixels.result(),
        "regions": regions.result(),
    }


def scan_scores(maps: np.ndarray) -> np.ndarray:
    """(K, height, columns) -> (K,), the mean of the highest 1 % of each map's pixels, of one at least."""
    flat = np.asarray(maps, np.float64).reshape(len(maps), -1)
    few = max(1, round(HIGHEST_SHARE * flat.shape[1]))
    return np.partition(flat, -few, axis=1)[:, -few:].mean(axis=1)


def _auroc(of: Sequence[int] | np.ndarray, by: Sequence[float]) -> float | None:
    """None unless both labels are there; unknown ones and scores that are NaN, of volumes without patches, are left out."""
    labels, scores = np.asarray(of, np.int64), np.asarray(by, np.float64)
    known = (labels != UNKNOWN) & ~np.isnan(scores)
    if len(np.unique(labels[known])) < 2:
        return None
    return float(sk.roc_auc_score(labels[known], scores[known]))
