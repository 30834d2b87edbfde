import numpy as np
import pytest
from sklearn import metrics as sk

from fanogan_tf.evaluation.metrics import at_threshold
from fanogan_tf.evaluation.pixels import PixelCounts


def _images(seed: int = 0):
    random = np.random.default_rng(seed)
    mask = (random.random((6, 20, 30, 1)) < 0.1).astype(np.float32)
    residual = np.clip(random.gamma(2.0, 0.15, mask.shape) + 0.3 * mask, 0.0, 2.0).astype(np.float32)
    return residual, mask


def _counted(residual, mask) -> PixelCounts:
    counts = PixelCounts()
    for i in range(len(residual)):
        counts.update(residual[i : i + 1], mask[i : i + 1])
    return counts


def test_agrees_with_scikit_learn_on_the_raw_pixels():
    residual, mask = _images()
    found = _counted(residual, mask).result()
    labels, scores = mask.ravel().astype(int), residual.ravel().astype(np.float64)
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-4)
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(labels, scores), abs=1e-4)
    assert found["pixels"] == labels.size
    assert found["anomalous_pixels"] == labels.sum()
    false_positives, true_positives, _ = sk.roc_curve(labels, scores)
    youden = found["youden"]
    assert youden["sensitivity"] + youden["specificity"] - 1 == pytest.approx(np.max(true_positives - false_positives), abs=1e-3)
    # The threshold is a residual: cutting the raw pixels there gives the same figures.
    raw = at_threshold(labels, scores, youden["threshold"])
    assert youden == pytest.approx(raw, abs=1e-4)


def test_worked_by_hand():
    # Normal 0 and 1, anomalous 1 and 2: pairs won 1 + 1/2 + 1 + 1 of 4.
    found = _counted(np.array([0.0, 1.0, 1.0, 2.0]).reshape(1, 2, 2, 1), np.array([0, 0, 1, 1]).reshape(1, 2, 2, 1)).result()
    assert found["auroc"] == pytest.approx(3.5 / 4)
    # Index 1/2 above 0 and above 1; the higher cut is taken, half a level above the pixels at 1.
    assert found["youden"]["threshold"] == pytest.approx(1.0, abs=1e-4)
    assert (found["youden"]["sensitivity"], found["youden"]["specificity"]) == (0.5, 1.0)


def test_the_whole_range_is_counted_and_more_is_clipped():
    found = _counted(np.array([-0.1, 2.5]).reshape(1, 1, 2, 1), np.array([0, 1]).reshape(1, 1, 2, 1)).result()
    assert found["auroc"] == 1.0


def test_the_curve_ends_in_the_corners():
    x, y = _counted(*_images()).roc_curve()
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(y, x) == pytest.approx(_counted(*_images()).result()["auroc"])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_figures_without_both_kinds_of_pixel(value):
    residual, mask = _images()
    assert _counted(residual, np.full_like(mask, value)).result() is None


def test_refuses_what_does_not_fit():
    residual, mask = _images()
    with pytest.raises(ValueError, match="shape"):
        PixelCounts().update(residual, mask[..., 0])
    residual[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        PixelCounts().update(residual, mask)
