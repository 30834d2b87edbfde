import csv
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fanogan_tf import keras_line  # noqa: F401 - It sets in the environment, which commands inherit, what its line needs.
from fanogan_tf.detection import score_table, terms
from tests.helpers.commands import TINY, fail, run, succeed

pytestmark = pytest.mark.slow

FIGURES = ("roc", "precision_recall", "histogram", "boxplot", "reconstructions", "latent_walk")


def test_run_ends_with_the_auroc_and_the_report(trained):
    folder, output = trained
    auroc = json.loads((folder / "report" / "metrics.json").read_text())["auroc"]
    assert output.splitlines()[-1] == f"AUROC {auroc:.4f}; report: {folder / 'report' / 'index.html'}"
    assert 0.0 <= auroc <= 1.0


def test_run_leaves_what_the_contract_names(trained):
    folder, _ = trained
    for phase in ("gan", "encoder"):
        assert list((folder / phase / "checkpoints").glob("step-4.index"))
        assert list((folder / phase / "logs").glob("events.*"))
        assert list((folder / phase / "samples").glob("*.png"))
    for figure in FIGURES:
        assert Image.open(folder / "report" / f"{figure}.png").width > 300
    assert (folder / "report" / "index.html").is_file()
    table = score_table.read(folder / "scores.csv")
    metrics = json.loads((folder / "report" / "metrics.json").read_text())
    assert metrics["images"] == len(table) == metrics["normal_images"] + metrics["anomalous_images"]
    assert metrics["seconds"] > 0 and metrics["images_per_second"] > 0
    assert set(metrics["per_class"]) == set("0123456789")


def test_both_scores_and_all_terms_are_in_the_table(trained):
    table = score_table.read(trained[0] / "scores.csv")
    paper = table.image_residual + 1.0 * table.feature_residual
    np.testing.assert_allclose(table.further["paper_score"], paper, rtol=1e-5)
    np.testing.assert_array_equal(table.score, table.further["robust_score"])
    assert set(table.further) == set(terms.FURTHER)
    metrics = json.loads((trained[0] / "report" / "metrics.json").read_text())
    assert metrics["per_term"].keys() == {*terms.OWN, *terms.FURTHER}
    assert len(metrics["no_model"]) == 6
    area = metrics["reliability"]["auroc"]
    assert area["value"] == pytest.approx(metrics["auroc"])
    # Each has its interval; where scores part the two kinds there is none, and the reason stands there.
    for auroc, row in [(metrics["auroc"], area), *((row["auroc"], row) for row in metrics["no_model"].values())]:
        parted = auroc == pytest.approx(1.0, abs=1e-12)
        assert (row["low"] is None) == parted == bool(row["why"]), row
    assert any(row["low"] is not None for row in metrics["no_model"].values())


def test_the_paper_decides_where_asked_and_nothing_is_trained_twice(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    output = succeed("train", f"--run_dir={folder}", "--score=paper")
    assert "GAN: already at iteration 4 of 4" in output and "% of normal images anomalous" in output
    succeed("score", f"--run_dir={folder}")
    table = score_table.read(folder / "scores.csv")
    np.testing.assert_array_equal(table.score, table.further["paper_score"])
    before = score_table.read(trained[0] / "scores.csv")
    np.testing.assert_allclose(table.further["robust_score"], before.further["robust_score"], rtol=1e-5)


def test_subgroups_of_the_report(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    succeed("evaluate", f"--run_dir={folder}", "--subgroups=name:([0-9])$")
    rows = json.loads((folder / "report" / "metrics.json").read_text())["subgroups"]
    assert [row["value"] for row in rows] == ["0 to 3", "4 to 6", "7 to 9"]
    assert "Subgroups" in (folder / "report" / "index.html").read_text()
    assert "--subgroups=age: give it as folder:1" in fail("evaluate", f"--run_dir={folder}", "--subgroups=age")


def test_flags_txt_repeats_the_run(trained, tmp_path):
    folder, _ = trained
    succeed("run", f"--flagfile={folder / 'flags.txt'}", f"--run_dir={tmp_path / 'again'}")
    assert (tmp_path / "again" / "scores.csv").read_text() == (folder / "scores.csv").read_text()


def test_same_command_again_trains_nothing(trained):
    folder, first = trained
    before = (folder / "gan" / "checkpoints" / "step-4.index").stat().st_mtime_ns
    again = succeed("run", f"--run_dir={folder}")
    assert "GAN: already at iteration 4 of 4" in again and again.splitlines()[-1] == first.splitlines()[-1]
    assert (folder / "gan" / "checkpoints" / "step-4.index").stat().st_mtime_ns == before


def test_phases_one_by_one_equal_both_in_a_row(trained, tmp_path):
    folder, _ = trained
    for phase in ("gan", "encoder"):
        succeed("train", *TINY, f"--run_dir={tmp_path / 'r'}", f"--phase={phase}")
    one = tf.train.load_checkpoint(str(folder / "detector" / "weights"))
    other = tf.train.load_checkpoint(str(tmp_path / "r" / "detector" / "weights"))
    for name in one.get_variable_to_shape_map():
        np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name))


@pytest.mark.parametrize(
    "flags",
    [
        ["--jit_compile"],
        ["--mixed_precision=bfloat16"],
        ["--mixed_precision=float16"],
        ["--nofolded"],
        ["--encoder_loss=izi_ziz", "--bound=stochastic_clip", "--denoise", "--random_flip", "--threshold_rule=mean_3sd"],
    ],
)
def test_other_ways_to_train(tmp_path, flags):
    succeed("run", *TINY, f"--run_dir={tmp_path}", *flags)
    table = score_table.read(tmp_path / "scores.csv")
    assert np.isfinite(table.score).all() and len(np.unique(table.score)) > len(table) // 2


def test_score_any_files_with_maps(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "images" / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / "images" / "a.png")
    Image.fromarray(rng.integers(0, 65536, (21, 13), np.uint16)).save(tmp_path / "images" / "deep" / "b.png")
    Image.fromarray(rng.integers(0, 256, (9, 30, 3), np.uint8)).save(tmp_path / "c.jpg")
    output = tmp_path / "out.csv"
    succeed(
        "score",
        f"--run_dir={folder}",
        f"--images={tmp_path / 'images'}",
        tmp_path / "c.jpg",  # What a shell makes of --images=folder *.jpg.
        f"--output={output}",
        f"--maps={tmp_path / 'maps'}",
    )
    with open(output) as file:
        rows = list(csv.DictReader(file))
    assert [row["image"].rsplit("/", 1)[-1] for row in rows] == ["a.png", "b.png", "c.jpg"]
    assert all(row["label"] == "" and 0 <= float(row["probability"]) <= 1 for row in rows)
    maps = list((tmp_path / "maps").rglob("*.png"))
    assert len(maps) == 12 and all(Image.open(path).size == (8, 8) for path in maps)


def test_scored_in_bfloat16_what_was_trained_in_float32(trained, tmp_path):
    folder, _ = trained
    succeed("score", f"--run_dir={folder}", "--mixed_precision=bfloat16", f"--output={tmp_path / 'low.csv'}")
    exact, low = score_table.read(folder / "scores.csv"), score_table.read(tmp_path / "low.csv")
    assert not np.array_equal(low.score, exact.score)
    np.testing.assert_allclose(low.score, exact.score, rtol=0.1)
    # Nothing of it stays with the run.
    assert "--mixed_precision=none" in (folder / "flags.txt").read_text()


@pytest.fixture(scope="module")
def own_images(tmp_path_factory):
    """Images as users have them: 16-bit PNG, colour JPEG, odd sizes, nested; a bright square is the anomaly."""
    root = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(1)

    def write(path, anomalous, i):
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = 20 + i % 3, 23 - i % 2
        grey = rng.uniform(0.2, 0.4, (height, width))
        mask = np.zeros((height, width), np.uint8)
        if anomalous:
            mask[5:12, 6:14] = 255
            grey[mask > 0] += 0.5
        if i % 2:
            Image.fromarray((grey * 65535).astype(np.uint16)).save(path.with_suffix(".png"))
        else:
            Image.fromarray(np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2)).save(path.with_suffix(".jpg"))
        return mask

    for i in range(24):
        write(root / "train_normal" / f"patient{i % 3}" / f"{i}", False, i)
    for i in range(6):
        write(root / "val_normal" / f"{i}", False, i)
        write(root / "test_normal" / f"{i}", False, i)
        mask = write(root / "test_anomalous" / "squares" / f"{i}", True, i)
        (root / "test_masks" / "squares").mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(root / "test_masks" / "squares" / f"{i}.png")
    return root


def folder_flags(root, run_dir):
    return (*TINY, "--dataset=folder", f"--data_path={root}", "--image_size=16x24", f"--run_dir={run_dir}")


def test_own_images_go_through_to_a_report_with_pixels(own_images, tmp_path):
    succeed("run", *folder_flags(own_images, tmp_path / "r"))
    metrics = json.loads((tmp_path / "r" / "report" / "metrics.json").read_text())
    assert metrics["images"] == 12 and set(metrics["per_class"]) == {"normal", "squares"}
    assert 0.0 <= metrics["pixel"]["auroc"] <= 1.0 and metrics["pixel"]["anomalous_pixels"] > 0
    assert (tmp_path / "r" / "report" / "pixel_roc.png").is_file()


def test_unreadable_image_is_named_or_skipped_by_choice(own_images, tmp_path):
    root = tmp_path / "images"
    shutil.copytree(own_images, root)
    whole = next((root / "train_normal").rglob("*.png"))
    whole.write_bytes(whole.read_bytes()[:60])
    line = fail("train", *folder_flags(root, tmp_path / "r"))
    assert whole.name in line and "--skip_unreadable" in line
    finished = run("train", *folder_flags(root, tmp_path / "r"), "--skip_unreadable")
    assert finished.returncode == 0, finished.stderr
    assert "1" in finished.stderr and whole.name in finished.stderr
