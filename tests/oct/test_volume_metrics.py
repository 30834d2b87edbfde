import json

import numpy as np
import pytest
from sklearn import metrics as sk

from fanogan_tf.errors import UserError
from fanogan_tf.oct.preparation import PreparedVolume
from fanogan_tf.oct.volume_metrics import scan_scores, volume_metrics

KINDS = ("cyst", "focus", "dome")
FLUID = ("dome", "cyst")


def _volume(name, lesions=None, kinds=KINDS, scans=4):
    shape = (scans, 10, 20)
    surface = np.zeros((scans, 20), np.int64)
    return PreparedVolume(
        name=name,
        eye="OD",
        shape=(scans, 30, 40),
        spacing=(0.1, 0.004, 0.01),
        areas=np.zeros(shape, np.uint16),
        scans=np.arange(scans),
        top=surface,
        bottom=surface + 9,
        lesions=None if lesions is None else np.asarray(lesions, np.uint8),
        kinds=kinds,
    )


def _three():
    """A healthy eye, an ill one and one of which nothing is known, with a map and a score for each."""
    random = np.random.default_rng(0)
    lesions = np.zeros((4, 10, 20), np.uint8)
    lesions[0, 2:5, 3:8], lesions[1, 6, 6:9], lesions[1, 1, 1], lesions[2, 7:9, 10:14] = 1, 3, 1, 2
    volumes = [_volume("healthy", np.zeros((4, 10, 20))), _volume("ill", lesions), _volume("unknown")]
    maps = [random.uniform(0.0, 0.8, (4, 10, 20)).astype(np.float32) for _ in volumes]
    maps[1] += np.float32(0.5) * (lesions > 0)
    scores = [
        {"volume": "healthy", "label": 0, "score_mean": 0.2, "score_max": 0.9},
        {"volume": "ill", "label": 1, "score_mean": 0.4, "score_max": 0.8},
        {"volume": "unknown", "label": -1, "score_mean": 0.3, "score_max": 0.3},
    ]
    return volumes, maps, scores


def test_volumes_scans_pixels_and_regions():
    volumes, maps, scores = _three()
    found = volume_metrics(volumes, iter(maps), scores, FLUID)
    json.dumps(found, allow_nan=False)
    assert (found["volumes"], found["normal_volumes"], found["anomalous_volumes"]) == (3, 1, 1)
    assert (found["auroc_mean"], found["auroc_max"]) == (1.0, 0.0)

    # Scan 2 has foci only, which are no fluid.
    assert (found["scans"]["scans"], found["scans"]["anomalous_scans"]) == (8, 2)
    highest = np.sort(np.concatenate(maps[:2]).reshape(8, -1), axis=1)[:, -2:].mean(axis=1)
    np.testing.assert_allclose(scan_scores(np.concatenate(maps[:2])), highest)
    assert found["scans"]["auroc"] == sk.roc_auc_score([0, 0, 0, 0, 1, 1, 0, 0], highest)

    codes, residual = np.concatenate([volume.lesions for volume in volumes[:2]]), np.concatenate(maps[:2])
    counted = codes != 2
    assert found["pixel"]["pixels"] == counted.sum() == 1600 - 8
    assert found["pixel"]["anomalous_pixels"] == np.isin(codes, (1, 3)).sum() == 19
    assert found["pixel"]["auroc"] == pytest.approx(sk.roc_auc_score(codes[counted] > 0, residual[counted]), abs=1e-4)

    assert found["regions"]["regions"] == 3
    assert {kind: of_kind["regions"] for kind, of_kind in found["regions"]["per_kind"].items()} == {"cyst": 2, "dome": 1}
    threshold = found["regions"]["threshold"]
    assert np.mean(residual[codes == 0] > threshold) <= 0.05 < np.mean(residual[codes == 0] > threshold - 0.01)
    assert found["regions"]["per_kind"]["dome"]["mean_overlap"] == pytest.approx(np.mean(residual[codes == 3] > threshold))


def test_codes_are_those_of_each_volume():
    volumes, maps, scores = _three()
    expected = volume_metrics(volumes, maps, scores, FLUID)
    swapped = np.array([0, 2, 3, 1], np.uint8)[volumes[1].lesions]  # cyst 2, focus 3, dome 1
    volumes[1] = _volume("ill", swapped, ("dome", "cyst", "focus"))
    assert volume_metrics(volumes, maps, scores, FLUID) == expected


def test_without_lesions_or_labels():
    volumes, maps, scores = _three()
    found = volume_metrics(volumes[2:], maps[2:], scores[2:], FLUID)
    assert found["auroc_mean"] is found["auroc_max"] is found["pixel"] is found["regions"] is None
    assert found["scans"] == {"scans": 0, "anomalous_scans": 0, "auroc": None}
    # Healthy eyes alone: nothing to find.
    found = volume_metrics(volumes[:1], maps[:1], scores[:1], FLUID)
    assert found["pixel"] is found["regions"] is found["scans"]["auroc"] is None
    assert found["scans"]["scans"] == 4


def test_a_volume_without_patches_has_no_score():
    volumes, maps, scores = _three()
    scores[2] |= {"label": 0, "score_mean": float("nan"), "score_max": float("nan")}
    found = volume_metrics(volumes, maps, scores, FLUID)
    assert (found["normal_volumes"], found["auroc_mean"], found["auroc_max"]) == (2, 1.0, 0.0)


def test_a_small_map_has_one_highest_pixel():
    assert scan_scores(np.array([[[0.1, 0.9]], [[0.3, 0.2]]])).tolist() == [0.9, 0.3]


def test_scores_of_other_volumes():
    volumes, maps, scores = _three()
    for other in (scores[:2], scores[::-1], [scores[0], scores[1] | {"volume": "new"}, scores[2]]):
        with pytest.raises(UserError, match=r"of other volumes .*run fanogan score again"):
            volume_metrics(volumes, maps, other, FLUID)
