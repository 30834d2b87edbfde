import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.helpers.commands import fail, succeed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    """A model exported from the trained run, and what that printed."""
    folder = tmp_path_factory.mktemp("models") / "digits"
    return folder, succeed("export", f"--run_dir={trained[0]}", f"--output={folder}")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of images: two sizes, grey and colour."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for number, shape in enumerate([(16, 16), (30, 25, 3), (16, 16, 3), (9, 40)]):
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_the_exported_model_gives_the_runs_scores(trained, model):
    folder, said = model
    assert f"exported: {folder / '1'}" in said and "fanogan verify_export" in said
    line = succeed("verify_export", f"--model={folder}", f"--run_dir={trained[0]}")
    metrics = json.loads((trained[0] / "report" / "metrics.json").read_text())
    assert line.count(f"{metrics['auroc']:.6f}") == 2 and f"{metrics['images']} test images" in line
    card = json.loads((folder / "1" / "assets.extra" / "model_card.json").read_text())
    assert card["metrics"] == metrics and card["flags"]["normal_class"] == "0"


def test_scoring_without_the_run(trained, model, files, tmp_path):
    """The same table, but for the probability's last digits."""
    tables = []
    for number, source in enumerate([f"--run_dir={trained[0]}", f"--model={model[0]}"]):
        output, maps = tmp_path / f"{number}.csv", tmp_path / str(number)
        succeed("score", source, f"--images={files}", f"--output={output}", f"--maps={maps}")
        with open(output, newline="") as file:
            tables.append(list(csv.DictReader(file)))
        assert len(list(maps.rglob("*.residual.png"))) == 4
    for ours, exported in zip(*tables, strict=True):
        probabilities = float(ours.pop("probability")), float(exported.pop("probability"))
        assert probabilities[0] == pytest.approx(probabilities[1], rel=1e-6)
        assert ours == exported
    # At another rate the same scores are called otherwise.
    output = tmp_path / "more.csv"
    succeed("score", f"--model={model[0]}", f"--images={files}", f"--output={output}", "--false_positive_rate=0.5")
    with open(output, newline="") as file:
        more = list(csv.DictReader(file))
    assert [row["score"] for row in more] == [row["score"] for row in tables[1]]
    assert [row["anomalous"] for row in more] == [str(int(float(row["probability"]) > 0.5)) for row in more]


def test_scoring_without_the_run_needs_images_and_an_output(model, files):
    assert "--images" in fail("score", f"--model={model[0]}", "--output=o.csv")
    assert "--output" in fail("score", f"--model={model[0]}", f"--images={files}")


def test_a_version_that_exists(trained, model):
    line = fail("export", f"--run_dir={trained[0]}", f"--output={model[0]}", "--version=1")
    assert str(model[0] / "1") in line and "--version" in line


def test_an_unfinished_run(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    shutil.rmtree(run / "detector")
    assert "run fanogan train to the end" in fail("export", f"--run_dir={run}", f"--output={tmp_path / 'm'}")
    assert not (tmp_path / "m").exists()


def test_an_output_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "--output" in fail("export", f"--run_dir={trained[0]}", f"--output={tmp_path / 'file' / 'm'}")


def test_a_model_that_is_not_ours(trained, tmp_path):
    assert "saved_model.pb" in fail("verify_export", f"--model={tmp_path}", f"--run_dir={trained[0]}")


def test_a_model_of_another_run(trained, model, tmp_path):
    """Its scores are not this run's."""
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    settings = json.loads((run / "detector" / "detector.json").read_text())
    settings["scales"]["deviations"]["feature_density"] *= 1.1
    (run / "detector" / "detector.json").write_text(json.dumps(settings))
    line = fail("verify_export", f"--model={model[0]}", f"--run_dir={run}")
    assert "scores differ" in line and "export the run again" in line
