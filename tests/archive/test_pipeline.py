"""Archive scoring on Beam's DirectRunner, against the scores of `score` for the same files and model."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from apache_beam.runners.portability import prism_runner
from PIL import Image
from pyarrow import parquet

from fanogan_tf.archive import pipeline, reading
from fanogan_tf.errors import UserError
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.options import Options
from fanogan_tf.pipeline import score_exported
from tests.helpers.archived import MULTI_PROCESS, assert_same_rows, exported, rows_of, score, write_images
from tests.helpers.oct_files import raw_values, write_vol

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("model"), Options(), side=8)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """17 images: of 8 and 16 bits, grey and colour, of other sizes, in subfolders, with names that tables must quote."""
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, 12)
    random = np.random.default_rng(99)
    (folder / "deeper").mkdir()
    Image.fromarray(random.integers(0, 65536, (8, 8), np.uint16)).save(folder / "deeper/sixteen bits.png")
    Image.fromarray(random.integers(0, 256, (31, 17, 3), np.uint8)).save(folder / "deeper/colour.jpg")
    Image.fromarray(random.integers(0, 256, (5, 9), np.uint8)).save(folder / 'a, "b"\nc.png')
    Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(folder / "ä.bmp")
    (folder / "000.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    write_images(folder / "deeper", 1)
    return folder


@pytest.fixture(scope="module")
def expected(model, images, tmp_path_factory):
    """The rows of `score --saved_model`."""
    path = tmp_path_factory.mktemp("expected") / "scores.csv"
    score_exported(model, Options(), frozenset(), [images], path)
    return rows_of(path)


def test_the_same_scores_as_score(model, images, expected, tmp_path):
    line = score(model, [images], tmp_path / "new/out")
    out = tmp_path / "new/out"
    assert_same_rows(rows_of(*out.glob("scores-*.csv")), expected)
    assert {row["anomalous"] for row in expected} == {"0", "1"}
    assert line == f"17 files, 17 images, 0 unreadable: {out}"
    assert sorted(path.name for path in out.iterdir()) == ["scores-00000-of-00001.csv", "summary.json", "unreadable.csv"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.slow
def test_parquet(model, images, expected, tmp_path):
    score(model, [images], tmp_path / "out", file_format="parquet")
    table = parquet.read_table(tmp_path / "out/scores-00000-of-00001.parquet").to_pydict()
    assert list(table) == list(expected[0]) and len(table["image"]) == 17
    by_name = dict(zip(table["image"], table["score"], strict=True))
    for row in expected:
        name = os.fsencode(row["image"]).decode("utf-8", "backslashreplace")
        np.testing.assert_allclose(by_name[name], float(row["score"]), rtol=2e-6)
    assert set(table["label"]) == {None} and set(table["anomalous"]) == {0, 1}


@pytest.mark.slow
def test_two_worker_processes(model, images, expected, tmp_path, monkeypatch):
    """Both have work, and together they give the result of one."""
    monkeypatch.setattr(pipeline, "_IMAGES_PIECE", 64)
    score(model, [images], tmp_path / "out", *MULTI_PROCESS)
    shards = list((tmp_path / "out").glob("scores-*.csv"))
    assert len(shards) == 2 and all(rows_of(shard) for shard in shards)
    assert_same_rows(rows_of(*shards), expected)


@pytest.mark.slow
def test_size_of_shards(model, images, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "_ROWS_PER_SHARD", 5)
    score(model, [images], tmp_path / "out")
    shards = sorted((tmp_path / "out").glob("scores-*"))
    assert [shard.name for shard in shards] == [f"scores-0000{i}-of-00004.csv" for i in range(4)]
    assert sorted(len(rows_of(shard)) for shard in shards) == [2, 5, 5, 5]
    assert_same_rows(rows_of(*shards), expected)


@pytest.mark.slow
def test_size_of_batches(model, tmp_path, monkeypatch):
    sizes = []
    whole = pipeline.SavedModelHandler.run_inference

    def watched(self, batch, *arguments):
        sizes.append(len(batch))
        return whole(self, batch, *arguments)

    monkeypatch.setattr(pipeline.SavedModelHandler, "run_inference", watched)
    write_images(tmp_path / "images", 11)
    options = Options(score_batch_size=4)
    given = frozenset({"score_batch_size"})
    pipeline.score_archive(str(model), [str(tmp_path / "images")], str(tmp_path / "out"), "csv", options, given, ())
    assert sizes == [4, 4, 3]


def test_unreadable_files_are_listed_with_the_reason_and_counted(model, tmp_path):
    folder = tmp_path / "images"
    write_images(folder, 5)
    (folder / "001.png").write_text("no image")
    (folder / "002.png").write_bytes((folder / "003.png").read_bytes()[:60])
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    line = score(model, [folder], tmp_path / "out")
    assert line.startswith("6 files, 3 images, 3 unreadable: ")
    rows = rows_of(tmp_path / "out/unreadable.csv")
    assert [row["image"] for row in rows] == [str(folder / name) for name in ("001.png", "002.png", "gone.png")]
    assert rows[0]["reason"] == "unreadable image (it is no PNG, JPEG, TIFF or BMP)"
    assert "unreadable image (" in rows[1]["reason"] and "No such file" in rows[2]["reason"]
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert (summary["files"], summary["images"], summary["unreadable"]) == (6, 3, 3)
    assert [row["image"][-7:] for row in rows_of(*(tmp_path / "out").glob("scores-*"))] == ["000.png", "003.png", "004.png"]


@pytest.mark.slow
def test_nothing_is_downloaded(model, tmp_path, monkeypatch):
    """By default, Beam's DirectRunner hands over to its Prism runner, a program that it downloads."""
    asked = []
    monkeypatch.setattr(prism_runner, "PrismRunner", lambda: asked.append(1))
    write_images(tmp_path / "images", 1)
    score(model, [tmp_path / "images"], tmp_path / "out")
    assert not asked


@pytest.mark.slow
def test_nothing_readable_leaves_a_table_without_rows(model, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    assert score(model, [tmp_path / "a.png"], tmp_path / "out").startswith("1 files, 0 images, 1 unreadable: ")
    (table,) = (tmp_path / "out").glob("scores-*.csv")
    assert table.read_text().splitlines()[0].startswith("image,label,") and rows_of(table) == []


@pytest.mark.slow
def test_lost_rows_are_noticed(model, images, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_or_reason", lambda name, read: [])
    with pytest.raises(UserError, match="17 files, but 0 scored and 0 unreadable; nothing was written"):
        score(model, [images], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_fails_leaves_nothing(model, images, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(pipeline.SavedModelHandler, "run_inference", full)
    with pytest.raises(OSError, match="No space left"):
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


def test_nothing_to_score(model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no images in this folder"):
        score(model, [tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(UserError, match=r"none.png: no such file or folder"):
        score(model, [tmp_path / "none.png"], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_model_of_another_project(images, tmp_path):
    with pytest.raises(UserError, match=r"no SavedModel here"):
        score(tmp_path, [images], tmp_path / "out")
    module = tf.Module()
    module.f = tf.function(lambda x: x, input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "another"), signatures={"embed": module.f})
    with pytest.raises(UserError, match=r"another: no SavedModel of fanogan_tf: its signature serving_default is missing"):
        score(tmp_path / "another", [images], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_flags():
    with pytest.raises(UserError, match=r"--ouput: neither a flag of this command nor of Beam"):
        pipeline.pipeline_options(["--ouput=x"])
    with pytest.raises(UserError, match=r"Beam's flags: argument --direct_num_workers: invalid int value: 'x'"):
        pipeline.pipeline_options(["--direct_num_workers=x"])
    assert pipeline.pipeline_options(["--runner=PortableRunner", "--of_its_job_server=1"]) is not None


# Volumes of OCT

SMALL = PhantomSettings(bscans=3, height=320, width=128, spacing=(0.123, 0.00387, 0.02266), averaging=9)
OCT = Options(dataset="oct", image_size="32", patches=6, oct_columns=64, oct_height=96)


@pytest.mark.slow
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
    score_exported(model, Options(), frozenset(), [folder], tmp_path / "scores.csv")
    (folder / "damaged.vol").write_bytes((folder / "#0@.vol").read_bytes()[:-1000])

    line = score(model, [folder], tmp_path / "out")
    assert line.startswith("4 files, 3 volumes, 48 patches, 1 unreadable: ")
    assert_same_rows(rows_of(*(tmp_path / "out").glob("scores-*")), rows_of(tmp_path / "scores.csv"))
    volumes = rows_of(*(tmp_path / "out").glob("volumes-*"))
    assert_same_rows(volumes, rows_of(tmp_path / "scores.volumes.csv"))
    assert [row["left_out"] for row in volumes] == ["0", "0", "1"]
    (unreadable,) = rows_of(tmp_path / "out/unreadable.csv")
    assert unreadable["image"].endswith("damaged.vol") and "damaged.vol" not in unreadable["reason"]
