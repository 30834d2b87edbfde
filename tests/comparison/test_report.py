"""A comparison from start to report, with the smallest possible networks."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from fanogan_tf.comparison.report import report
from fanogan_tf.comparison.runs import plan, train_and_score
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

TINY = Options(
    dataset="digits",
    normal_class="0",
    dim=2,
    latent_dim=2,
    batch_size=8,
    n_critic=2,
    iterations=2,
    encoder_iterations=2,
    mapping_steps=2,
    sample_every=1000,
)


def rows(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared")
    jobs = plan(root, TINY, ["izi", "iterative", "critic", "pca"], 2, 20)
    train_and_score(jobs)
    return root, jobs, report(root / "report", jobs)


@pytest.mark.slow
def test_all_variants_of_a_seed_share_one_gan_and_nothing_else_is_trained(compared):
    root, *_ = compared
    for seed in ("seed_0", "seed_1"):
        run = root / "normal_0" / seed
        assert {path.name for path in run.iterdir()} == {"fanogan", "izi", "iterative", "critic", "pca"}
        assert (run / "fanogan" / "gan" / "checkpoints").is_dir() and not (run / "fanogan" / "encoder").exists()
        assert not (run / "izi" / "gan").exists() and not (run / "critic" / "gan").exists()


@pytest.mark.slow
def test_report_has_tables_and_figures(compared):
    root, _, said = compared
    folder = root / "report"
    assert said == f"8 of 8 runs; report: {folder / 'report.md'}"
    first = rows(folder / "table_1.csv")
    assert [row["method"] for row in first] == ["PCA", "A_D (critic)", "iterative"]
    assert all(0.0 <= float(row["auroc"]) <= 1.0 and row["auroc_seeds"] == "2" for row in first)
    assert {row["method"]: row["images"] for row in first}["iterative"] == "20.0"
    assert rows(folder / "table_2.csv")[0]["encoder loss, bound"] == "izi, tanh"
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert "## Table 1: methods" in page and "seeds: 0, 1" in page and "protocol: normal 0" in page
    assert "for orientation only" in page
    for name in ("roc", "scores", "restorations"):
        assert f"![{name}]({name}.png)" in page and Image.open(folder / f"{name}.png").width > 300
    values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert len(values["tables"]["table_1"]["rows"][0]["auroc"]) == 2


@pytest.mark.slow
def test_a_second_call_trains_and_scores_nothing(compared):
    root, jobs, _ = compared
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file() and path.name != ".lock"}
    train_and_score(jobs)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_resumes_after_an_interruption(compared):
    _, jobs, _ = compared
    lost = jobs[0].run.scores
    whole = lost.read_text()
    lost.unlink()
    train_and_score(jobs)
    assert lost.read_text() == whole


@pytest.mark.slow
def test_other_settings_are_refused_by_name(compared):
    root, *_ = compared
    other = plan(root, Options(**{**TINY.__dict__, "latent_dim": 3}), ["pca"], 1, 0)
    with pytest.raises(UserError, match=r"seed_0/pca: holds another run: --latent_dim is 2 there, 3 here"):
        train_and_score(other)


def test_without_finished_runs_there_are_no_tables(tmp_path):
    with pytest.raises(UserError, match=r"nothing trained with these settings yet; leave out --train=false"):
        report(tmp_path / "report", plan(tmp_path, TINY, ["pca"], 1, 0))
    assert not (tmp_path / "report").exists()


def test_classes_in_turn_and_missing_runs(tmp_path, capsys):
    options = Options(**{**TINY.__dict__, "normal_class": "0,1"})
    train_and_score(plan(tmp_path, options, ["pca"], 1, 0))
    train_and_score(plan(tmp_path, TINY, ["ocsvm"], 1, 0))
    report(tmp_path / "report", plan(tmp_path, options, ["pca", "ocsvm"], 1, 0))
    by_class = {row["class"]: row for row in rows(tmp_path / "report" / "one_class.csv")}
    assert list(by_class) == ["normal 0", "normal 1", "mean of 2"]
    mean = (float(by_class["normal 0"]["pca"]) + float(by_class["normal 1"]["pca"])) / 2
    assert float(by_class["mean of 2"]["pca"]) == pytest.approx(mean) and mean > 0.9
    assert by_class["normal 0"]["ocsvm"] and not by_class["normal 1"]["ocsvm"] and not by_class["mean of 2"]["ocsvm"]
    assert (tmp_path / "report" / "one_class.png").is_file()


def test_masks_make_the_table_of_pixels(tmp_path, capsys):
    random = np.random.default_rng(0)

    def write(folder, count, square):
        (tmp_path / "images" / folder).mkdir(parents=True)
        for i in range(count):
            image = random.uniform(0, 60, (8, 8))
            image[2:5, 3:6] += 150 * square
            Image.fromarray(image.astype(np.uint8)).save(tmp_path / "images" / folder / f"{i}.png")

    write("train_normal", 30, 0)
    write("test_normal", 8, 0)
    write("test_anomalous", 8, 1)
    folder = Options(**{**TINY.__dict__, "dataset": "folder", "data_path": str(tmp_path / "images"), "image_size": "8"})
    jobs = plan(tmp_path / "runs", folder, ["pca"], 1, 0)
    train_and_score(jobs)
    report(tmp_path / "runs" / "report", jobs)
    assert "table of pixels is left out" in capsys.readouterr().out
    assert not (tmp_path / "runs" / "report" / "table_b1.csv").exists()

    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 3:6] = 255
    (tmp_path / "images" / "test_masks").mkdir()
    for i in range(8):
        Image.fromarray(mask).save(tmp_path / "images" / "test_masks" / f"{i}.png")
    jobs = plan(tmp_path / "masked", folder, ["pca"], 1, 0)
    train_and_score(jobs)
    report(tmp_path / "masked" / "report", jobs)
    (row,) = rows(tmp_path / "masked" / "report" / "table_b1.csv")
    assert row["method"] == "PCA" and float(row["auroc"]) > 0.9
    assert (tmp_path / "masked" / "report" / "pixel_roc.png").is_file()
