import itertools
import json

import numpy as np
import pytest
from scipy import integrate
from sklearn import metrics as sk

from fanogan_tf.evaluation.metrics import at_threshold
from fanogan_tf.evaluation.pixels import LARGEST, LEVELS, MapCounts, PixelCounts, Pointing, RegionCounts


def _noisy(seed: int = 0):
    random = np.random.default_rng(seed)
    mask = (random.random((6, 20, 30, 1)) < 0.1).astype(np.float32)
    residual = np.clip(random.gamma(2.0, 0.15, mask.shape) + 0.3 * mask, 0.0, 2.0).astype(np.float32)
    return residual, mask


def _pixels(residual, mask) -> PixelCounts:
    counts = PixelCounts()
    for i in range(len(residual)):
        counts.update(residual[i : i + 1], mask[i : i + 1])
    return counts


def test_agrees_with_scikit_learn_on_the_raw_pixels():
    residual, mask = _noisy()
    found = _pixels(residual, mask).result()
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


def test_pixels_worked_by_hand():
    # Normal 0 and 1, anomalous 1 and 2: pairs won 1 + 1/2 + 1 + 1 of 4.
    found = _pixels(np.array([0.0, 1.0, 1.0, 2.0]).reshape(1, 2, 2, 1), np.array([0, 0, 1, 1]).reshape(1, 2, 2, 1)).result()
    assert found["auroc"] == pytest.approx(3.5 / 4)
    # Index 1/2 above 0 and above 1; the higher cut is taken, half a level above the pixels at 1.
    assert found["youden"]["threshold"] == pytest.approx(1.0, abs=1e-4)
    assert (found["youden"]["sensitivity"], found["youden"]["specificity"]) == (0.5, 1.0)


def test_the_whole_range_is_counted_and_more_is_clipped():
    found = _pixels(np.array([-0.1, 2.5]).reshape(1, 1, 2, 1), np.array([0, 1]).reshape(1, 1, 2, 1)).result()
    assert found["auroc"] == 1.0


def test_the_curve_ends_in_the_corners():
    x, y = _pixels(*_noisy()).roc_curve()
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert integrate.trapezoid(y, x) == pytest.approx(_pixels(*_noisy()).result()["auroc"])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_pixel_figures_without_both_kinds_of_pixel(value):
    residual, mask = _noisy()
    assert _pixels(residual, np.full_like(mask, value)).result() is None


def test_pixel_counts_refuse_what_does_not_fit():
    residual, mask = _noisy()
    with pytest.raises(ValueError, match="shape"):
        PixelCounts().update(residual, mask[..., 0])
    residual[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        PixelCounts().update(residual, mask)


def _levelled(seed: int, count: int = 5, height: int = 14, width: int = 17):
    """Residuals on the levels themselves, so that brute force sees the very same values; regions of many sizes and one pixel."""
    random = np.random.default_rng(seed)
    mask = np.zeros((count, height, width, 1), np.float32)
    for _ in range(4 * count):
        i, top, left = random.integers(count), random.integers(height), random.integers(width)
        mask[i, top : top + random.integers(1, 4), left : left + random.integers(1, 4)] = 1.0
    mask[0, -1, -1] = 1.0
    levels = np.clip(random.integers(0, 60, mask.shape) + 12 * mask.astype(int), 0, 65)
    return levels * 1000 * LARGEST / (LEVELS - 1), mask


def _flood(mask: np.ndarray) -> list[list[tuple]]:
    """Regions of (B, H, W, 1), found by walking from pixel to pixel."""
    left, found = {tuple(place) for place in np.argwhere(mask[..., 0] > 0)}, []
    while left:
        region = [left.pop()]
        for image, row, column in region:
            for down, right in itertools.product((-1, 0, 1), repeat=2):
                neighbour = (image, row + down, column + right)
                if neighbour in left:
                    left.remove(neighbour)
                    region.append(neighbour)
        found.append(region)
    return found


def _brute_force(residual, mask, most=0.3):
    """Curve, area and threshold by the definitions, one threshold after the other."""
    regions, normal = _flood(mask), residual[mask == 0]
    inside = [np.array([residual[(*place, 0)] for place in region]) for region in regions]
    points = [(0.0, 0.0)]
    for cut in np.unique(residual)[::-1]:
        points.append((np.mean(normal >= cut), np.mean([np.mean(values >= cut) for values in inside])))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 < most < x1:
            x1, y1 = most, y0 + (y1 - y0) * (most - x0) / (x1 - x0)
        if x1 <= most:
            area += (x1 - x0) * (y0 + y1) / 2
    threshold = min(cut for cut in np.unique(residual) if np.mean(normal > cut) <= 0.05)
    overlaps = np.array([np.mean(values > threshold) for values in inside])
    return area / most, overlaps, threshold


def _regions(residual, mask, *more) -> RegionCounts:
    counts = RegionCounts()
    for i in range(0, len(residual), 2):
        counts.update(residual[i : i + 2], mask[i : i + 2], *more)
    return counts


@pytest.mark.parametrize("seed", range(6))
def test_regions_agree_with_brute_force(seed):
    residual, mask = _levelled(seed)
    aupro, overlaps, threshold = _brute_force(residual, mask)
    found = _regions(residual, mask).result()
    assert 0.15 < found["aupro"] < 1.0
    assert found["aupro"] == pytest.approx(aupro)
    assert found["regions"] == len(overlaps)
    assert found["hits"] == (overlaps >= 0.5).sum()
    assert found["hit_rate"] == found["hits"] / len(overlaps)
    assert found["mean_overlap"] == pytest.approx(overlaps.mean())
    # Between the level that is not above and the next.
    assert threshold < found["threshold"] < threshold + LARGEST / (LEVELS - 1)
    raw = at_threshold((mask.ravel() > 0).astype(int), residual.ravel(), found["threshold"])
    assert found["false_positive_rate"] == pytest.approx(1 - raw["specificity"])
    for most in (0.05, 1.0):
        assert _regions(residual, mask).result(most)["aupro"] == pytest.approx(_brute_force(residual, mask, most)[0])
    json.dumps(found, allow_nan=False)


def test_a_perfect_map_and_one_that_knows_nothing():
    _, mask = _levelled(0)
    perfect = _regions(1.5 * mask, mask).result()
    assert perfect["aupro"] == pytest.approx(1.0)
    assert (perfect["hit_rate"], perfect["false_positive_rate"]) == (1.0, 0.0)
    # One straight line from (0, 0) to (1, 1): up to .3 the mean overlap is .15.
    constant = _regions(np.full_like(mask, 0.7), mask).result()
    assert constant["aupro"] == pytest.approx(0.15)
    assert (constant["hits"], constant["mean_overlap"]) == (0, 0.0)
    assert _regions(1.5 - 1.5 * mask, mask).result()["aupro"] == 0.0


def test_small_lesions_weigh_as_much_as_large_ones():
    mask = np.zeros((1, 20, 20, 1))
    mask[0, 0, 0] = mask[0, 5:15, 5:15] = 1
    residual = np.zeros_like(mask)
    residual[0, 0, 0] = 1.0  # Only the lesion of one pixel is found.
    found = _regions(residual, mask).result()
    assert (found["regions"], found["hits"], found["mean_overlap"]) == (2, 1, 0.5)
    # The overlap is 1/2 at no false positive, and goes straight to 1 at all.
    assert found["aupro"] == pytest.approx(0.5 + 0.15 / 2)


def test_exactly_half_is_a_hit():
    mask = np.zeros((1, 6, 20, 1))
    mask[0, 0, :2] = mask[0, 2, :3] = mask[0, 4, :4] = 1
    residual = np.zeros_like(mask)
    residual[0, (0, 2, 4, 4), (0, 0, 0, 1)] = 1.0  # 1 of 2, 1 of 3, 2 of 4.
    assert _regions(residual, mask).result()["hits"] == 2


def test_corners_connect_images_do_not():
    mask = np.zeros((2, 5, 5, 1))
    mask[0, 1, 1] = mask[0, 2, 2] = mask[1, 2, 2] = 1
    assert _regions(mask, mask).result()["regions"] == 2


def test_each_kind_has_its_own_regions_even_where_two_touch():
    mask, kind = np.zeros((1, 9, 9, 1)), np.zeros((1, 9, 9, 1), np.uint8)
    mask[0, 0, :3] = mask[0, 4, :2] = mask[0, 8, 0] = 1
    kind[0, 0, :3, 0], kind[0, 4, :2, 0], kind[0, 8, 0, 0] = (2, 2, 1), (1, 2), 3
    residual = np.zeros_like(mask)
    residual[0, 0, :2] = 1.0
    counts = RegionCounts()
    counts.update(residual, mask, kind, ("cyst", "dome", "focus"))
    found = counts.result()
    assert found["per_kind"] == {
        "cyst": {"regions": 2, "hits": 0, "hit_rate": 0.0, "mean_overlap": 0.0},
        "dome": {"regions": 2, "hits": 1, "hit_rate": 0.5, "mean_overlap": 0.5},
        "focus": {"regions": 1, "hits": 0, "hit_rate": 0.0, "mean_overlap": 0.0},
    }
    assert (found["regions"], found["hits"]) == (5, 1)
    # In another volume the codes may mean other kinds.
    counts.update(mask, mask, np.uint8(mask), ("dome",))
    regions = {name: of_kind["regions"] for name, of_kind in counts.result()["per_kind"].items()}
    assert regions == {"cyst": 2, "dome": 5, "focus": 1}
    with pytest.raises(ValueError, match="kind outside 1 to 2"):
        counts.update(residual, mask, kind, ("cyst", "dome"))


def test_what_is_not_counted_is_on_neither_side():
    residual, mask = _levelled(1, width=20)
    counted = np.ones(mask.shape, bool)
    counted[:, :, 12:] = False
    counts = RegionCounts()
    counts.update(residual, mask, counted=counted)
    assert counts.result() == _regions(residual[:, :, :12], mask[:, :, :12]).result()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_region_figures_without_both_kinds_of_pixel(value):
    residual, mask = _levelled(0)
    assert _regions(residual, np.full_like(mask, value)).result() is None


def test_region_counts_refuse_what_does_not_fit():
    residual, mask = _levelled(0)
    with pytest.raises(ValueError, match="shape"):
        RegionCounts().update(residual, mask[..., 0])
    with pytest.raises(ValueError, match="NaN"):
        RegionCounts().update(residual * np.nan, mask)


def test_a_state_makes_the_same_counts_again():
    residual, mask = _levelled(0)
    kind = np.uint8(mask) * np.uint8(1 + (np.arange(17) > 8))[:, None]
    for kinds in ((), (kind, ("cyst", "dome"))):
        pixels, regions = PixelCounts(), RegionCounts()
        pixels.update(residual, mask)
        regions.update(residual, mask, *kinds)
        same_pixels, same_regions = PixelCounts.from_state(pixels.state), RegionCounts.from_state(regions.state)
        assert same_pixels.result() == pixels.result() and same_regions.result() == regions.result(), kinds
        # They go on alike, and apart from each other.
        before = regions.result()
        same_regions.update(residual[::-1], mask)
        assert regions.result() == before != same_regions.result(), kinds
    assert RegionCounts.from_state(RegionCounts().state).result() is None


def test_pointing_by_hand():
    """The highest residual lies on the mask of the first image and beside that of the second; the third has no mask."""
    residual, mask = np.zeros((3, 4, 4, 1)), np.zeros((3, 4, 4, 1))
    residual[0, 1, 2] = residual[1, 3, 3] = residual[2, 0, 1] = 1.5
    mask[:2, 1:3, 1:3] = 1
    pointing = Pointing()
    pointing.update(residual, mask)
    pointing.update(residual[:1], mask[:1])
    assert (pointing.images, pointing.hits) == (3, 2)


def test_maps_of_any_range_compare_alike():
    """A power of two changes no level, and what lies above the range counts as its end. Without a mask nothing is compared."""
    residual, mask = _noisy()
    residual[0, :4, :4] = LARGEST
    counts, scaled = MapCounts(), MapCounts(largest=64.0)
    counts.update(residual, mask)
    scaled.update(np.where(residual == LARGEST, 100.0, 32.0 * residual), mask)
    found = counts.compared()
    assert found == scaled.compared()
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(mask.ravel(), residual.ravel()), abs=1e-4)
    assert found["aupro"] == counts.result()["regions"]["aupro"]
    assert found["hit_rate"] == counts.result()["regions"]["hits"] / counts.result()["regions"]["regions"]
    assert found["pointing"] == counts.result()["pointing"]["hits"] / 6
    empty = MapCounts()
    empty.update(residual, np.zeros_like(mask))
    assert empty.compared() == {} and empty.result() is None
