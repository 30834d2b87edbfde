import dataclasses
import json
from pathlib import Path

import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.serving import model_card
from fanogan_tf.serving.export import sums
from tests.helpers import served_models as made

OPTIONS = Options(method="pca", dataset="folder", data_path="/home/somebody/scans", image_size="16", score_batch_size=7)


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path)
    made.detector("pca").save(run.detector)
    run.data.write_text(json.dumps({"train": {"images": 9}}))
    return run


@pytest.fixture
def card(run):
    return model_card.describe(run, OPTIONS, made.detector("pca"))


def test_what_it_tells(run, card):
    assert card["method"] == "pca" and card["data"]["train"]["images"] == 9
    assert card["calibration"]["threshold"] == made.detector("pca").calibration.threshold
    assert card["weights"] == sums(run.detector) and "arrays.npz" in card["weights"]
    assert card["versions"].keys() == {"fanogan_tf", "tensorflow", "keras", "numpy"}
    assert json.loads(json.dumps(card)) == card


def test_folders_of_the_machine_stay_private(card):
    assert card["flags"]["data_path"] == "scans" and "somebody" not in json.dumps(card)


@pytest.mark.parametrize(("shift", "kept"), [(0.0, True), (0.1, False)])
def test_metrics_are_this_detectors_or_none(run, shift, kept):
    detector = made.detector("pca")
    values = {"auroc": 0.9, "operating_point": {"threshold": detector.calibration.threshold + shift}}
    run.report.mkdir()
    (run.report / "metrics.json").write_text(json.dumps(values))
    assert model_card.describe(run, OPTIONS, detector)["metrics"] == (values if kept else None)


def test_no_report_no_metrics(card):
    assert card["metrics"] is None


def test_options_come_back(card):
    given = Options(score_batch_size=3, dim=5)
    options = model_card.options(card, Path("m/1"), given, frozenset({"score_batch_size"}))
    assert options == dataclasses.replace(OPTIONS, data_path="scans", score_batch_size=3)


@pytest.mark.parametrize(("name", "value"), [("mixed_precision", "bfloat16"), ("dim", 3), ("threshold_rule", "mean_3sd")])
def test_what_is_in_the_graph_cannot_be_changed(card, name, value):
    given = dataclasses.replace(OPTIONS, **{name: value})
    with pytest.raises(UserError, match=f"m/1: .*--{name} is .* there, {value} here"):
        model_card.options(card, Path("m/1"), given, frozenset({name}))


def test_a_card_of_another_version(card):
    card["flags"]["from_the_future"] = 1
    with pytest.raises(UserError, match="m/1: its model card was not written by this version"):
        model_card.options(card, Path("m/1"), Options(), frozenset())
