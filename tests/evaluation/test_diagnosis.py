"""Every check of the doctor by made-up numbers: a good case, and one that it has to find."""

import numpy as np
import pytest

from fanogan_tf.data.leaks import Leaks
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import diagnosis
from fanogan_tf.evaluation.diagnosis import State

RNG = np.random.default_rng(0)
FLAT = np.ones(40) + RNG.normal(0, 0.1, 40)


def calibration(normals):
    return Calibration(1.0, np.array([0.0, 1.0]), np.array([0.1, 0.9]), 1.0, normals)


def found(sides, exact, near=0):
    none = dict.fromkeys(("train-validation", "train-test", "validation-test"), 0)
    return Leaks({"train": 9, "validation": 9, "test": 9}, none | {sides: exact}, none | {sides: near}, ())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (FLAT, ""),
        (np.append(FLAT, np.nan), "loss_d of the gan phase is not a finite number"),
        (FLAT * np.geomspace(1, 1e6, 40), "grew"),
        (FLAT * 1e4, "reaches"),
        (FLAT[:3], ""),
    ],
)
def test_losses(values, said):
    verdict = diagnosis.losses({"gan": {"loss_d": values, "loss_g": FLAT}})
    assert verdict.state == (State.PROBLEM if said else State.GOOD) and said in verdict.evidence
    assert bool(verdict.remedy) == bool(said)


def test_no_losses():
    assert diagnosis.losses({}).state == State.UNKNOWN


def test_samples():
    """Real features spread over a cube; samples like them, samples that are one image, and samples far away."""
    real, alike = RNG.normal(0, 1, (2, 100, 8))
    assert diagnosis.spread(real, alike).state == diagnosis.generator(real, alike).state == State.GOOD
    assert diagnosis.spread(real, real[:1] + 0.1 * alike).state == State.PROBLEM
    assert diagnosis.generator(real, alike + 20.0).state == State.PROBLEM
    # By hand: two real images 1 apart, two samples 3 apart.
    assert "3.00 times" in diagnosis.spread(np.array([[0.0], [1.0]]), np.array([[0.0], [3.0]])).evidence


def test_blur():
    real = RNG.normal(0, 0.3, (20, 16, 16))
    assert diagnosis.blur(real, RNG.normal(0, 0.3, (20, 16, 16)), "samples").state == State.GOOD
    smooth = np.stack([np.full((16, 16), value) for value in RNG.normal(0, 0.3, 20)]) + 0.02 * real
    verdict = diagnosis.blur(real, smooth, "samples")
    assert (verdict.name, verdict.state) == ("blur of samples", State.PROBLEM)
    # A wave of two pixels' length is fine, one of sixteen is not.
    fine = np.tile([1.0, -1.0], (1, 16, 8))
    coarse = np.cos(2 * np.pi * np.arange(16) / 16)[None, None].repeat(16, axis=1)
    assert "0.00 of the power" in diagnosis.blur(fine, coarse, "samples").evidence


def test_memory():
    assert diagnosis.encoder_gap(FLAT, 1.2 * FLAT).state == State.GOOD
    assert diagnosis.encoder_gap(FLAT, 9.0 * FLAT).state == State.PROBLEM


def test_what_the_score_follows():
    scores, other = RNG.normal(0, 1, (2, 50))
    assert diagnosis.confounders(scores, {"brightness": other}).state == State.GOOD
    verdict = diagnosis.confounders(scores, {"brightness": other, "contrast": -np.exp(scores)})
    assert verdict.state == State.PROBLEM and "contrast most, with a rank correlation of 1.00" in verdict.evidence
    # Of 50 images with a variance of .04 and a mean square Laplacian of .01 to .5: the smoothest hundredth's is .0149, .37 of it.
    sharp = {"sharpness": np.log(np.linspace(0.01, 0.5, 50)), "contrast": np.full(50, 0.2)}
    assert "--sharpness=0.37 blurs every image" in diagnosis.confounders(sharp["sharpness"], sharp).remedy
    assert diagnosis.confounders(scores[:9], {"brightness": other[:9]}).state == State.UNKNOWN
    assert diagnosis.confounders(scores, {"brightness": np.zeros(50)}).state == State.UNKNOWN


def test_simple_statistics():
    assert diagnosis.statistic_aurocs(0.9, {"brightness": 0.8, "contrast": 0.15}).state == State.GOOD
    assert "0.850" in diagnosis.statistic_aurocs(0.9, {"brightness": 0.8, "contrast": 0.15}).evidence
    assert diagnosis.statistic_aurocs(0.8, {"brightness": 0.1}).state == State.PROBLEM
    assert diagnosis.statistic_aurocs(0.55, {"brightness": 0.6}).state == State.GOOD


@pytest.mark.parametrize(
    ("normals", "rate", "state"), [(30, 0.05, State.GOOD), (10, 0.05, State.PROBLEM), (0, 0.05, State.UNKNOWN)]
)
def test_held_out_images(normals, rate, state):
    assert diagnosis.held_out(calibration(normals), rate).state == state


def test_leaks():
    assert diagnosis.leaks(None).state == State.UNKNOWN
    assert diagnosis.leaks(found("train-test", 0, near=4)).state == State.GOOD
    verdict = diagnosis.leaks(found("train-test", 3))
    assert verdict.state == State.PROBLEM and "3 images are pixel for pixel on both sides of train and test" in verdict.evidence


def test_test_images():
    normal = {"brightness": RNG.normal(0, 1, 200)}
    mixed = np.concatenate([RNG.normal(0, 1, 40), RNG.normal(9, 1, 160)])
    assert diagnosis.test_images(normal, {"brightness": mixed}).state == State.GOOD
    assert diagnosis.test_images(normal, {"brightness": mixed + 4.0}).state == State.PROBLEM


def test_one_at_a_time():
    assert diagnosis.one_at_a_time(FLAT, FLAT * (1 + 1e-6)).state == State.GOOD
    assert diagnosis.one_at_a_time(FLAT, FLAT[::-1]).state == State.PROBLEM


@pytest.mark.parametrize(
    ("count", "different", "state"), [(500, 480, State.GOOD), (500, 100, State.PROBLEM), (20, 20, State.PROBLEM)]
)
def test_training_images(count, different, state):
    assert diagnosis.training_images(count, different).state == state


def test_strange_training_images():
    rows = RNG.normal(0, 1, (100, 16))
    assert diagnosis.strange_training_images(rows).state == State.GOOD
    rows[:10] *= 6.0
    verdict = diagnosis.strange_training_images(rows)
    assert verdict.state == State.PROBLEM and verdict.evidence.startswith("10 of 100")
    assert diagnosis.strange_training_images(rows[:20]).state == State.UNKNOWN


def test_kappa():
    assert diagnosis.kappa("paper", 1.0).state == diagnosis.kappa("robust", 0.0).state == State.GOOD
    assert diagnosis.kappa("paper", 0.0).state == State.PROBLEM


def test_statistics_by_hand():
    images = np.zeros((2, 4, 4))
    images[1, :2] = 1.0
    found = diagnosis.statistics(images)
    assert found["brightness"].tolist() == [0.0, 0.5] and found["contrast"].tolist() == [0.0, 0.5]
    # Of the four inner pixels, each has one neighbour of another value: Laplacian 1 or -1.
    assert found["sharpness"] == pytest.approx(np.log([1e-6, 1.0 + 1e-6]))
    assert found["compressed size"][0] < found["compressed size"][1] + 1


def test_kept(tmp_path):
    verdicts = [diagnosis.kappa("paper", 0.0), diagnosis.losses({})]
    diagnosis.save(verdicts, tmp_path / "doctor.json")
    assert diagnosis.load(tmp_path / "doctor.json") == verdicts and diagnosis.load(tmp_path / "none.json") == []
    assert diagnosis.problems(verdicts) == verdicts[:1]
    (tmp_path / "doctor.json").write_text("[{}]")
    with pytest.raises(UserError, match=r"damaged .*; run fanogan doctor again"):
        diagnosis.load(tmp_path / "doctor.json")
