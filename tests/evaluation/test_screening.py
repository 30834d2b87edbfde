import numpy as np
import pytest
from scipy import stats

from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import intervals, screening


def table(normal, diseased, cut):
    scores = np.concatenate([normal, diseased]).astype(np.float64)
    nothing = np.full(len(scores), np.nan)
    return ScoreTable(
        image=np.array([f"{number}.png" for number in range(len(scores))]),
        label=np.repeat([0, 1], [len(normal), len(diseased)]),
        class_name=np.full(len(scores), ""),
        score=scores,
        probability=nothing,
        anomalous=np.zeros(len(scores), bool),
        image_residual=nothing,
        feature_residual=nothing,
        latent_distance=nothing,
        certainly_normal=None if cut is None else scores < cut,
    )


@pytest.mark.parametrize(("count", "missed"), [(149, 0), (236, 1), (237, 1), (313, 2), (500, 4)])
def test_the_bound_of_a_wanted_sensitivity(count, missed):
    """.98 takes 149 images with none missed (.98^149 < .05 < .98^148); and no more may be missed than the bound allows."""
    random = np.random.default_rng(0)
    scores = random.permutation(np.arange(count) + 10.0)
    assert screening.filter_for(scores, 0.98) == (10.0 + missed, missed)
    for allowed, number in ((True, missed), (False, missed + 1)):
        bound = stats.beta.ppf(0.05, count - number, number + 1)
        assert (bound >= 0.98) == allowed


def test_too_few_diseased_images():
    with pytest.raises(UserError, match=r"--sensitivity=0.98: 148 diseased images cannot show it with 95% .* at least 149"):
        screening.filter_for(np.arange(148.0), 0.98)


def test_the_wanted_sensitivity_is_kept_19_times_of_20():
    """Over many development sets of N(0, 1), the filter's true sensitivity is below the wanted one in 5 % and no more."""
    random = np.random.default_rng(1)
    kept = [stats.norm.sf(screening.filter_for(random.normal(size=300), 0.95)[0]) >= 0.95 for _ in range(2000)]
    assert 0.945 < np.mean(kept) < 0.99


def test_a_share_with_its_exact_interval():
    found = intervals.share(0, 10)
    assert (found["value"], found["low"]) == (0.0, 0.0) and found["high"] == pytest.approx(1 - 0.025**0.1)
    assert intervals.share(10, 10)["low"] == pytest.approx(0.025**0.1)


def test_figures_by_hand():
    """Ten normal images, of which four lie below 5; five diseased ones, of which one does."""
    found = screening.figures(table([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [4.5, 6, 7, 8, 9], 5.0), 0.1)
    assert found["taken_off"] | {"low": 0, "high": 0} == {"value": 5 / 15, "part": 5, "whole": 15, "low": 0, "high": 0}
    assert found["sensitivity"]["value"] == 0.8 and found["specificity"]["value"] == 0.4
    assert found["taken_off_at_prevalence"]["value"] == pytest.approx(0.1 * 0.2 + 0.9 * 0.4)
    assert found["negative_predictive_value"]["value"] == pytest.approx(0.36 / (0.36 + 0.02))
    for name in ("taken_off_at_prevalence", "negative_predictive_value"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    assert found["missed"] == ["10.png"]
    curve = found["curve"]
    # A filter at 5, the sixth of the scores (1, 2, 3, 4, 4.5, 5): one diseased and four normal images below.
    assert (curve["sensitivity"][5], curve["specificity"][5]) == (0.8, 0.4)
    assert curve["sensitivity"][0] == 1.0 and curve["specificity"][0] == 0.0


def test_nothing_to_tell():
    assert screening.figures(table([1, 2], [3], None), 0.1) is None
    assert screening.figures(table([1, 2], [], 2.0), 0.1) is None


def test_the_filter_of_held_out_normals():
    """At the quartile, a quarter of the normals; without one, none. Equal is not lower."""
    scores = np.arange(1.0, 102.0)
    calibration = calibrate(scores, "quantile", 0.05, screened=0.25)
    assert calibration.filter == 26.0
    assert calibration.certainly_normal(scores).sum() == 25
    assert calibrate(scores, "quantile", 0.05).filter is None
    assert type(calibration).from_json(calibration.to_json()).filter == 26.0
