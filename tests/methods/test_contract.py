"""What every method promises: a new one gets these tests by being registered in METHODS."""

import dataclasses
import functools

import numpy as np
import pytest

from fanogan_tf import datasets, doctor, methods, options, pipeline
from fanogan_tf.detection import score_table
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.serving import saved_model
from tests.helpers.image_folders import patients
from tests.helpers.toy_method import MeanImage

TINY = Options(
    dataset="folder",
    image_size="16",
    dim=2,
    latent_dim=3,
    batch_size=4,
    n_critic=2,
    iterations=3,
    encoder_iterations=3,
    mapping_steps=2,
    fit_images=20,
    deterministic=True,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return patients(tmp_path_factory.mktemp("images"), masks=True, regions=True)


# Methods of two detectors: the second one's options.
OTHERS = {"ganomaly_unet": {"method": "ganomaly", "ganomaly_autoencoder": "unet"}}


@pytest.fixture(params=[*METHODS, *OTHERS, "mean_image"])
def tiny(request, images, monkeypatch):
    """Options of the method to test. The last one stands for any that a user adds."""
    monkeypatch.setitem(METHODS, "mean_image", MeanImage())
    return dataclasses.replace(TINY, data_path=str(images), **OTHERS.get(request.param, {"method": request.param}))


def trained(folder, tiny, phases=("all",)):
    run = RunDirectory(folder)
    for phase in phases:
        pipeline.train(run, tiny, phase, overwrite=False)
    pipeline.score(run, tiny, [], run.scores)
    return run


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Trains and scores in a row; once for all tests with the same options."""
    return functools.cache(lambda tiny: trained(tmp_path_factory.mktemp(tiny.method), tiny))


@pytest.mark.slow
def test_trained_saved_loaded_and_exported_it_scores_the_same(tiny, scored, tmp_path):
    run = scored(tiny)
    method = METHODS[tiny.method]
    detector = methods.load_detector(run.detector)
    assert type(detector) in method.DETECTORS and methods.detector_kinds()[detector.KIND] is type(detector)
    assert set(method.training_seconds(run)) <= set(method.PHASES)

    splits = datasets.load(tiny, run.cache)
    everything = np.arange(len(splits.test))
    judged = detector.judge(*splits.test.inputs(everything, detector.INPUTS))
    assert np.isfinite(judged["score"]).all() and judged["score"].shape == (len(everything),)
    assert ("residual" in judged) == ("reconstruction" in judged) == detector.RESTORES

    held_out = detector.judge(*splits.validation.inputs(np.arange(len(splits.validation)), detector.INPUTS))
    assert detector.calibration.threshold >= np.quantile(held_out["score"], 0.5)
    assert ((judged["probability"] >= 0) & (judged["probability"] <= 1)).all()
    np.testing.assert_array_equal(judged["anomalous"], judged["score"] > np.float32(detector.calibration.threshold))

    verdicts = doctor.examine(run, tiny)
    assert len({verdict.name for verdict in verdicts}) == len(verdicts) > 5

    assert len(score_table.read(run.scores)) == len(everything)
    np.testing.assert_allclose(score_table.read(run.scores).score, judged["score"], rtol=1e-5)
    served = saved_model.load(pipeline.export(run, tiny, tmp_path / "model", 0))
    assert "relative" in saved_model.compare(detector, served, splits.test, 64)


@pytest.mark.slow
def test_the_report_needs_no_network(tiny, scored, monkeypatch):
    run = scored(tiny)

    def load(*_):
        raise AssertionError("a detector was loaded")

    monkeypatch.setattr(methods, "load_detector", load)
    assert pipeline.evaluate(run, tiny).startswith("AUROC ")
    kinds = METHODS[tiny.method].DETECTORS
    assert (run.report / "pixel_roc.png").is_file() == any(kind.RESTORES for kind in kinds[:1])


# Of one phase; that a seed gives the same numbers again is tested in test_joint.py, test_gan.py and test_ganomaly_training.py.
IN_A_ROW_ANYHOW = {"ae", "adv_ae", "ali", "critic", "ganomaly"}


@pytest.mark.slow
@pytest.mark.parametrize("tiny", [*sorted(METHODS.keys() - IN_A_ROW_ANYHOW), "mean_image"], indirect=True)
def test_phase_by_phase_it_ends_as_in_a_row(tiny, scored, tmp_path):
    if tiny.method == "iterative":  # An encoder is trained only where the mapping starts from it.
        tiny = dataclasses.replace(tiny, mapping_start="encoder")
    apart = trained(tmp_path / "apart", tiny, METHODS[tiny.method].PHASES)
    assert apart.scores.read_bytes() == scored(tiny).scores.read_bytes()


def test_it_names_the_options_that_it_reads(tiny):
    method = METHODS[tiny.method]
    names = options.names()
    assert set(method.settings(tiny)) <= set(method.OPTIONS) <= names
    assert method.unread(frozenset(method.OPTIONS)) == []
    others = names - set(method.OPTIONS) - options.names("images", "scoring", "running")
    ignored = set(method.unread(others))
    assert ignored == others & ignored and "seed" not in ignored and "method" not in ignored
    assert {name for name in others if name.startswith("ganomaly_")} <= ignored


def test_what_means_nothing_is_told_by_its_reader(tiny):
    given = frozenset({"oct_columns", "anogan_lambda", "seed"})
    told = pipeline.unread(tiny, given)
    assert told.pop("--dataset=folder") == ["oct_columns"]
    assert told == ({} if tiny.method == "anogan" else {f"--method={tiny.method}": ["anogan_lambda"]})
