"""The way of a user who screens: a filter by held-out normals, one by diseased images, the report, the exported model."""

import json

import numpy as np
import pytest

from fanogan_tf.detection import score_table
from fanogan_tf.serving import saved_model
from tests.helpers import commands
from tests.helpers.image_folders import noise, save

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """films/, where diseased ones are brighter, and development/ with 60 more of these; run/, PCA on them."""
    root = tmp_path_factory.mktemp("screening")
    for kind, count, first, level in (
        ("films/train_normal", 40, 0, 100),
        ("films/test_normal", 20, 100, 100),
        ("films/test_anomalous", 20, 200, 118),
        ("development", 60, 300, 118),
    ):
        for number in range(first, first + count):
            grey = level + np.random.default_rng(number).normal(0, 8) + noise(number, (16, 16)) / 8
            save(root / kind / f"{number}.png", grey.astype(np.uint8))
    of_films = ("--method=pca", "--dataset=folder", f"--data_path={root / 'films'}", "--latent_dim=2", "--screened=0.5")
    commands.succeed("run", *of_films, f"--run_dir={root / 'run'}")
    return root


def metrics(root):
    return json.loads((root / "run" / "report" / "metrics.json").read_text())


def test_a_filter_by_held_out_normals(root):
    table = score_table.read(root / "run" / "scores.csv")
    text = (root / "run" / "scores.csv").read_text().splitlines()
    assert text[0].endswith(",screened") and {line.rpartition(",")[2] for line in text[1:]} == {"certainly_normal", "to_reader"}
    calibration = json.loads((root / "run" / "detector" / "detector.json").read_text())["calibration"]
    np.testing.assert_array_equal(table.certainly_normal, table.score < calibration["filter"])
    found = metrics(root)["screening"]
    assert found["specificity"]["part"] == (table.certainly_normal & (table.label == 0)).sum()
    page = (root / "run" / "report" / "index.html").read_text()
    assert "<h2>Screening</h2>" in page and "screening.png" in page
    assert (root / "run" / "report" / "screening.png").is_file()


def test_a_filter_by_diseased_images(root, tmp_path):
    run, ill = f"--run_dir={root / 'run'}", f"--diseased={root / 'development'}"
    said = commands.fail("screen", run, ill, "--sensitivity=0.98")
    assert "60 diseased images cannot show it" in said and "at least 149" in said
    assert "--diseased: name images of disease" in commands.fail("screen", run)
    said = commands.succeed("screen", run, ill, "--sensitivity=0.8")
    # Of 60, 6 may lie below for a bound of .8: beta.ppf(.05, 54, 7) = .812, of 7 .792.
    assert "6 of 60 diseased images for development lie below" in said and "at least 0.8" in said
    commands.succeed("score", run)
    commands.succeed("evaluate", run, "--prevalence=0.2")
    found, table = metrics(root)["screening"], score_table.read(root / "run" / "scores.csv")
    assert found["prevalence"] == 0.2 and found["missed"]
    assert len(found["missed"]) == (table.certainly_normal & (table.label == 1)).sum()
    assert (root / "run" / "report" / "missed.png").is_file()

    commands.succeed("export", run, f"--output={tmp_path / 'model'}")
    outputs = saved_model.load(tmp_path / "model").from_bytes(
        [(root / "films" / name).read_bytes() for name in table.image.tolist()]
    )
    np.testing.assert_array_equal(outputs["certainly_normal"], table.certainly_normal)
