"""Archive scoring on Spark, against the scores of `score` for the same files and model."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from fanogan_tf.archive import spark
from fanogan_tf.errors import UserError
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.options import Options
from fanogan_tf.pipeline import score_exported
from tests.helpers.archived import Held, assert_same_rows, exported, killing, rows_of, score, write_images
from tests.helpers.oct_files import raw_values, write_dicom, write_dicom_oct, write_vol

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Java (Debian: default-jre-headless) is not installed"),
]


@pytest.fixture(scope="module", autouse=True)
def running():
    """One session for all tests of this module. A task that fails is tried once more."""
    with spark.session("local[2,2]", {"spark.sql.shuffle.partitions": "2"}) as session:
        yield session


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("model"), Options(), side=8)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """18 images: of 8 and 16 bits, grey and colour, DICOM, of other sizes, in subfolders, with names that tables must quote."""
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, 12)
    random = np.random.default_rng(99)
    (folder / "deeper").mkdir()
    Image.fromarray(random.integers(0, 65536, (8, 8), np.uint16)).save(folder / "deeper/sixteen bits.png")
    Image.fromarray(random.integers(0, 256, (31, 17, 3), np.uint8)).save(folder / "deeper/colour.jpg")
    Image.fromarray(random.integers(0, 256, (5, 9), np.uint8)).save(folder / 'a, "b"\nc.png')
    Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(folder / "ä.bmp")
    (folder / "000.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    write_dicom(folder / "deeper/film.dcm", random.integers(0, 4096, (20, 16), np.uint16))
    write_images(folder / "deeper", 1)
    return folder


@pytest.fixture(scope="module")
def expected(model, images, tmp_path_factory):
    """The rows of `score --model`; what is not UTF-8 as Spark's tables have it."""
    path = tmp_path_factory.mktemp("expected") / "scores.csv"
    score_exported(model, Options(), frozenset(), [images], path)
    rows = [row | {"image": os.fsencode(row["image"]).decode("utf-8", "backslashreplace")} for row in rows_of(path)]
    return sorted(rows, key=lambda row: row["image"])


def table(out, name):
    return rows_of(*(out / name).glob("part-*.csv"))


def test_the_same_scores_as_score(model, images, expected, tmp_path, monkeypatch):
    """By four tasks, of which two run at once."""
    monkeypatch.setattr(spark, "_IMAGES_A_TASK", 5)
    out = tmp_path / "new/a [1]{b} ?"
    line = score(model, [images], out)
    assert_same_rows(table(out, "scores"), expected)
    assert {row["anomalous"] for row in expected} == {"0", "1"}
    assert line == f"18 files, 18 images, 0 unreadable: {out}"
    assert sorted(path.name for path in out.iterdir()) == ["scores", "summary.json", "unreadable"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_parquet(model, images, expected, tmp_path):
    score(model, [images], tmp_path / "out", file_format="parquet")
    columns = parquet.read_table(tmp_path / "out/scores").to_pydict()
    assert list(columns) == list(expected[0]) and len(columns["image"]) == 18
    by_name = dict(zip(columns["image"], columns["score"], strict=True))
    for row in expected:
        np.testing.assert_allclose(by_name[row["image"]], float(row["score"]), rtol=2e-6)
    assert set(columns["label"]) == {None} and set(columns["anomalous"]) == {0, 1}


def test_everything_by_url(model, tmp_path, monkeypatch):
    """Model, images and output at URLs give the same scores as at paths; an output there is written in place.

    It is deleted again if the run fails.
    """
    folder = tmp_path / "f"
    write_images(folder, 4)
    (folder / "broken.png").write_bytes(b"no image")
    line = score(f"file://{model}", [f"file://{folder}"], f"file://{tmp_path}/out")
    assert line == f"5 files, 4 images, 1 unreadable: file://{tmp_path}/out"
    with pytest.raises(UserError, match="is there already"):
        score(f"file://{model}", [f"file://{folder}"], f"file://{tmp_path}/out")
    score(model, [folder], tmp_path / "by_path")
    found = [row | {"image": row["image"].removeprefix("file://")} for row in table(tmp_path / "out", "scores")]
    assert_same_rows(found, table(tmp_path / "by_path", "scores"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scores", "summary.json", "unreadable"]
    monkeypatch.setattr(spark, "found", lambda *_: iter([f"file://{folder}/001.png"] * 2))
    with pytest.raises(UserError, match="nothing was written"):
        score(model, [folder], f"file://{tmp_path}/failed")
    assert not (tmp_path / "failed").exists()


def test_unreadable_files_are_listed_with_the_reason_and_counted(model, tmp_path, capsys):
    """One in a hundred of many. The bar counts them too."""
    folder = tmp_path / "images"
    write_images(folder, 299)
    (folder / "001.png").write_text("no image")
    (folder / "002.png").write_bytes((folder / "003.png").read_bytes()[:60])
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    line = score(model, [folder], tmp_path / "out")
    assert line.startswith("300 files, 297 images, 3 unreadable: ")
    assert "300/300" in capsys.readouterr().err
    rows = table(tmp_path / "out", "unreadable")
    assert [row["image"] for row in rows] == [str(folder / name) for name in ("001.png", "002.png", "gone.png")]
    assert rows[0]["reason"] == "unreadable image (it is no PNG, JPEG, TIFF or BMP)"
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["files"], summary["images"], summary["unreadable"]) == (300, 297, 3)
    scored = [row["image"] for row in table(tmp_path / "out", "scores")]
    assert scored == [str(folder / f"{number:03d}.png") for number in range(299) if number not in (1, 2)]


def test_nothing_readable_leaves_a_table_without_rows(model, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    assert score(model, [tmp_path / "a.png"], tmp_path / "out").startswith("1 files, 0 images, 1 unreadable: ")
    (written,) = (tmp_path / "out/scores").glob("part-*.csv")
    assert written.read_text().splitlines()[0].startswith("image,label,") and rows_of(written) == []


def test_a_process_killed_in_the_middle_of_its_work(model, tmp_path, monkeypatch):
    """Its task is done again, and no row comes twice or is lost."""
    monkeypatch.setattr(spark, "_IMAGES_A_TASK", 8)
    images = tmp_path / "images"
    write_images(images, 20)
    score(model, [images], tmp_path / "undisturbed")
    with killing(Held(images / "017.png"), lambda pid: os.kill(pid, signal.SIGKILL)):
        line = score(model, [images], tmp_path / "out")
    assert line.startswith("20 files, 20 images, 0 unreadable")
    assert_same_rows(table(tmp_path / "out", "scores"), table(tmp_path / "undisturbed", "scores"))


def test_lost_rows_are_noticed(model, images, tmp_path, monkeypatch):
    monkeypatch.setattr(spark, "found", lambda *_: iter([str(images / "001.png")] * 2))
    with pytest.raises(UserError, match="2 files, but 1 scored and 0 unreadable; nothing was written"):
        score(model, [images], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_nothing(images, tmp_path, monkeypatch):
    """The workers do not find the model that the driver has found."""
    model = exported(tmp_path / "model", Options(), side=8)
    load = spark.loaded

    def vanishing(*arguments):
        served = load(*arguments)
        shutil.rmtree(tmp_path / "model")
        return served

    monkeypatch.setattr(spark, "loaded", vanishing)
    with pytest.raises(UserError, match=r"Spark has given up \(.*no SavedModel here.*\); nothing was written"):
        score(model, [images], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_impossible_outputs(model, images, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/scores.csv").write_text("years of work")
    with pytest.raises(UserError, match=r"--output=.*there: is there already; give a new folder"):
        score(model, [images], tmp_path / "there")
    assert (tmp_path / "there/scores.csv").read_text() == "years of work"
    with pytest.raises(UserError, match=r"--output=.*out: cannot be written \(Not a directory\)"):
        score(model, [images], tmp_path / "there/scores.csv/out")


def test_a_wrong_master_is_told_before_files_are_searched(model, tmp_path, monkeypatch):
    monkeypatch.setattr(spark.SparkSession, "getActiveSession", lambda: None)
    with pytest.raises(UserError, match="--master=loco: give local"):
        score(model, [tmp_path / "nowhere"], tmp_path / "out", master="loco")
    assert not (tmp_path / "out").exists()


def test_models_that_an_archive_has_not_the_images_for(model, tmp_path, monkeypatch):
    whole = exported(tmp_path / "whole", Options(dataset="oct", image_size="8", patches=0), side=8)
    with pytest.raises(UserError, match=r"--model=.*whole.*: scores whole or single B-scans; score them with fanogan score"):
        score(whole, [tmp_path], tmp_path / "out")
    served = spark.loaded(str(model), None, 0)
    monkeypatch.setattr(served, "INPUTS", ("image", "region"))
    with pytest.raises(UserError, match=r"--model=.*: takes image, region, and an archive has images alone"):
        score(model, [tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_to_score(model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no images in this folder"):
        score(model, [tmp_path / "empty"], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


SMALL = PhantomSettings(bscans=3, height=320, width=128, spacing=(0.123, 0.00387, 0.02266), averaging=9)
OCT = Options(dataset="oct", image_size="32", patches=6, oct_columns=64, oct_height=96)


def test_volumes_get_the_same_scores_as_by_score(tmp_path):
    """One row per patch and per volume; a damaged one is kept apart, and so is a B-scan without signal."""
    model = exported(tmp_path / "model", OCT, side=32)
    folder = tmp_path / "volumes"
    folder.mkdir()
    for number in range(3):
        volume = make_phantom(number, SMALL)
        if number == 2:
            volume.data[1] = 0
        write_vol(folder / f"#{number}@.vol", raw_values(volume.data), spacing=volume.spacing)
    volume = make_phantom(3, SMALL)
    write_dicom_oct(folder / "scans.dcm", volume.data, spacing=volume.spacing)
    score_exported(model, Options(), frozenset(), [folder], tmp_path / "scores.csv")
    (folder / "damaged.vol").write_bytes((folder / "#0@.vol").read_bytes()[:-1000])

    line = score(model, [folder], tmp_path / "out")
    assert line.startswith("5 files, 4 volumes, 66 patches, 1 unreadable: ")
    assert_same_rows(table(tmp_path / "out", "scores"), rows_of(tmp_path / "scores.csv"))
    volumes = table(tmp_path / "out", "volumes")
    assert_same_rows(volumes, rows_of(tmp_path / "scores.volumes.csv"))
    assert [row["left_out"] for row in volumes] == ["0", "0", "1", "0"]
    (unreadable,) = table(tmp_path / "out", "unreadable")
    assert unreadable["image"].endswith("damaged.vol") and "damaged.vol" not in unreadable["reason"]


def test_masters():
    """A lost task is repeated, unless the user says how often."""
    repeated = {"local[*]": "local[*,4]", "local[3]": "local[3,4]", "local": "local[1,4]"}
    for asked, taken in (repeated | dict.fromkeys(("local[2,1]", "spark://local:7077", "yarn", "k8s://https://h:1"))).items():
        assert spark.repeating(asked) == (taken or asked)
    for wrong in ("loco", "spark", "http://h:1", ""):
        with pytest.raises(UserError, match=f"--master={wrong}: give local"):
            spark.repeating(wrong)


def test_without_java(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=re.escape("Spark needs Java 17 or newer, and none is here; apt-get install")):
        spark.need_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(UserError, match=f"JAVA_HOME={tmp_path} has none"):
        spark.need_java()
