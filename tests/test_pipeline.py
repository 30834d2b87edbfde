"""`fanogan_tf.load` and `detector.score`, of a run and of its export."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import fanogan_tf
from fanogan_tf import pipeline
from fanogan_tf.comparison.pair import compare
from fanogan_tf.datasets import DATASETS
from fanogan_tf.detection import score_table
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

OPTIONS = Options(dataset="digits", method="pca")
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "pca")
    pipeline.train(run, OPTIONS, "all", False)
    return run


@pytest.fixture(scope="module")
def exported(run):
    return pipeline.export(run, OPTIONS, run.path.parent / "model", 0).parent


def test_a_run_and_its_export_score_the_same(run, exported):
    images = RANDOM.integers(0, 256, (5, 30, 20, 3), np.uint8)
    of_run, of_model = (fanogan_tf.load(path).score(images) for path in (run.path, exported))
    np.testing.assert_allclose(of_run.scores, of_model.scores, rtol=1e-5)
    np.testing.assert_allclose(of_run.maps, of_model.maps, atol=1e-5)
    assert of_run.maps.shape == (5, 8, 8) and of_run.names.tolist() == list("01234")
    assert (of_run.anomalous == of_model.anomalous).all() and ((of_run.probabilities >= 0) & (of_run.probabilities <= 1)).all()


def test_the_scores_are_those_of_the_table(run, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(RANDOM.integers(0, 256, (8, 8), np.uint8)).save(path)
    pipeline.score(run, OPTIONS, paths, tmp_path / "scores.csv")
    table = score_table.read(tmp_path / "scores.csv")
    found = fanogan_tf.load(str(run.path)).score(map(str, paths), maps=False)
    np.testing.assert_allclose(found.scores, table.score, rtol=1e-6)
    np.testing.assert_allclose(found.probabilities, table.probability, rtol=1e-6)
    assert found.maps is None and found.names.tolist() == table.image.tolist()


def test_what_cannot_be_loaded_is_said(tmp_path, run):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "flags.txt").write_text("")
    for path, message in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "begun", "not trained"),
        (tmp_path, "no SavedModel"),
    ):
        with pytest.raises(UserError, match=message):
            fanogan_tf.load(path)
    with pytest.raises(UserError, match="no images to score"):
        fanogan_tf.load(run.path).score([])


def test_a_report_is_refused_once_the_detector_is_calibrated_again(tmp_path):
    run = RunDirectory(tmp_path / "run")
    pipeline.train(run, OPTIONS, "all", False)
    pipeline.score(run, OPTIONS, [], run.scores)
    assert pipeline.evaluate(run, OPTIONS).startswith("AUROC ")
    again = dataclasses.replace(OPTIONS, false_positive_rate=0.3)
    pipeline.train(run, again, "all", False)
    with pytest.raises(UserError, match=r"measured: of another detector than the run's; run fanogan score on this run again"):
        pipeline.evaluate(run, again)
    pipeline.score(run, again, [], run.scores)
    assert pipeline.evaluate(run, again).startswith("AUROC ")


def test_groups_are_measured_only_for_the_report_or_for_maps(run, tmp_path, monkeypatch):
    class Groups:
        outputs = []

        def measure(self, detector, groups, options, output, maps=""):
            self.outputs.append(Path(output).name)

    monkeypatch.setitem(DATASETS, "digits", dataclasses.replace(DATASETS["digits"], groups=Groups()))
    monkeypatch.chdir(run.path)
    for output, maps in ((tmp_path / "table.csv", ""), (tmp_path / "maps.csv", str(tmp_path / "maps")), (Path("scores.csv"), "")):
        pipeline.score(run, OPTIONS, [], output, maps)
    assert Groups.outputs == ["maps.csv", "scores.csv"]
    assert run.measured.is_dir()


def scored(path, options):
    run = RunDirectory(path)
    pipeline.train(run, options, "all", False)
    pipeline.score(run, options, [], run.scores)
    return run


def test_two_runs_are_compared_on_the_images_that_both_scored(tmp_path):
    """One of them has scored a hundred, half of them normal."""
    one = scored(tmp_path / "one", OPTIONS)
    two = scored(tmp_path / "two", dataclasses.replace(OPTIONS, method="ocsvm", test_images=100, half_normal=True))
    lines = compare(one, two).splitlines()
    tables = [score_table.read(run.scores) for run in (one, two)]
    rows = [tables[0].image.tolist().index(name) for name in tables[1].image]
    normal, anomalous = (int((tables[1].label == label).sum()) for label in (0, 1))
    assert normal == anomalous == 50
    areas = [roc_auc_score(tables[1].label, scores) for scores in (tables[0].score[rows], tables[1].score)]
    assert lines[0] == f"AUROC {areas[0]:.4f} {one.path}, {areas[1]:.4f} {two.path}"
    assert lines[1].startswith(f"difference {areas[0] - areas[1]:+.4f}, ")
    assert lines[1].endswith("on 50 normal and 50 anomalous images")
    assert compare(one, one).splitlines()[1].startswith("difference +0.0000")


def test_runs_that_cannot_be_compared(tmp_path):
    one = scored(tmp_path / "one", OPTIONS)
    two = scored(tmp_path / "two", dataclasses.replace(OPTIONS, normal_class="7"))
    with pytest.raises(UserError, match=r"labelled otherwise in .*two; compare runs with one --normal_class"):
        compare(one, two)
