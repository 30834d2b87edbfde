"""Several GANs of one run as one detector."""

import dataclasses
import shutil

import numpy as np
import pytest

from fanogan_tf import methods, pipeline
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.detection.members import MembersDetector, joined
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.serving import export, saved_model

TINY = Options(
    method="fanogan",
    dim=1,
    latent_dim=2,
    batch_size=2,
    n_critic=1,
    iterations=2,
    encoder_iterations=2,
    nearest_normals=4,
    members=2,
)


def image_set(count, seed):
    names = np.array([str(i) for i in range(count)])
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    return ImageSet(pixels, np.zeros(count, np.int64), names, names)


SPLITS = Splits(image_set(12, 0), image_set(6, 1), image_set(5, 2))


def trained(path, options):
    run = RunDirectory(path)
    run.take(options, SPLITS, overwrite=False)
    METHODS[options.method].train(run, options, SPLITS, METHODS[options.method].PHASES)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run of two members, and two of one member with their seeds."""
    folder = tmp_path_factory.mktemp("runs")
    alone = [trained(folder / f"seed_{seed}", dataclasses.replace(TINY, members=1, seed=seed)) for seed in (0, 1)]
    return trained(folder / "both", TINY), alone


def test_joined_by_hand():
    means, whole = joined([{"score": np.array([1.0, 3.0])}, {"score": np.array([30.0, 10.0])}])
    assert means == [{"score": 2.0}, {"score": 20.0}]
    np.testing.assert_allclose(whole["score"], [(0.5 + 1.5) / 2, (1.5 + 0.5) / 2])


@pytest.mark.slow
def test_a_member_is_what_a_run_of_its_seed_would_be(runs):
    both, alone = runs
    detector = methods.load_detector(both.detector)
    assert isinstance(detector, MembersDetector) and len(detector.members) == 2
    images, held_out = (part.float_images(np.arange(len(part))) for part in (SPLITS.test, SPLITS.validation))
    found = detector.measure(images)
    expected = np.zeros(5)
    for member, run in zip(detector.members, alone, strict=True):
        single = methods.load_detector(run.detector)
        scores = single.measure(images)["score"]
        np.testing.assert_allclose(member.measure(images)["score"], scores, rtol=1e-5)
        expected += scores / single.measure(held_out)["score"].mean() / 2
    np.testing.assert_allclose(found["score"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["score"], found["robust_score"], rtol=1e-6)
    # A typical held-out image has 1, in every term.
    for name, values in detector.measure(held_out).items():
        if values.ndim == 1:
            assert values.mean() == pytest.approx(1.0, rel=1e-3), name
    np.testing.assert_allclose(
        found["residual"], np.mean([member.measure(images)["residual"] for member in detector.members], axis=0), rtol=1e-5
    )
    assert detector.can_generate and detector.generate(np.zeros((1, 2))).shape == (1, 8, 8, 1)


@pytest.mark.slow
def test_times_are_those_of_all_members(runs):
    both, _ = runs
    found = METHODS["fanogan"].training_seconds(both)
    assert found.keys() == {"gan", "encoder"} and all(seconds > 0 for seconds in found.values())
    first = METHODS["fanogan"].member_seconds(both)
    assert all(found[phase] > first[phase] for phase in found)


@pytest.mark.slow
def test_one_export(runs, tmp_path):
    both, _ = runs
    detector = methods.load_detector(both.detector)
    served = saved_model.load(export.export(detector, tmp_path / "model"))
    assert "relative" in saved_model.compare(detector, served, SPLITS.test, 4)


@pytest.mark.slow
def test_it_goes_on_where_it_stopped(runs, tmp_path):
    """The first member's GAN is there already, as after an interruption: the other one's alone is trained."""
    both, alone = runs
    run = RunDirectory(tmp_path / "run")
    run.take(dataclasses.replace(TINY, members=1), SPLITS, overwrite=False)
    shutil.copytree(alone[0].gan, run.gan)
    METHODS["fanogan"].train(run, TINY, SPLITS, ("gan", "encoder"))
    images = SPLITS.test.float_images(np.arange(5))
    one, other = (methods.load_detector(one.detector).measure(images)["score"] for one in (both, run))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_members_have_no_common_gan(tmp_path):
    with pytest.raises(UserError, match=r"--gan_from=elsewhere: is one GAN, --members=2 train their own; leave one out"):
        options = dataclasses.replace(TINY, gan_from="elsewhere")
        METHODS["fanogan"].check(RunDirectory(tmp_path), options, SPLITS, ("gan", "encoder"), False)


def test_other_methods_say_that_it_means_nothing():
    assert pipeline.unread(Options(method="pca"), frozenset({"members"})) == {"--method=pca": ["members"]}
