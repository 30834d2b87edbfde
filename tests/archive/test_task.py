"""What a task makes of file names, without Spark."""

import json
import math

import numpy as np
import pyarrow
import pytest

from fanogan_tf.archive import task
from fanogan_tf.archive.task import Work
from fanogan_tf.options import Options
from tests.helpers.archived import write_images


class Model:
    """A detector that scores an image by its mean and notes the sizes of its batches."""

    image_shape = (8, 8, 1)
    said: dict = {}

    def __init__(self):
        self.sizes = []

    def cut(self, image):
        return image

    def judge(self, images):
        self.sizes.append(len(images))
        score = images.mean(axis=(1, 2, 3))
        return {"score": score, "probability": score * 0 + 0.5, "anomalous": score > 0, "paper_score": score * 2} | {
            name: np.array(values[: len(images)]) for name, values in self.said.items()
        }


@pytest.fixture
def model(monkeypatch):
    made = Model()
    monkeypatch.setattr(task, "loaded", lambda *_: made)
    return made


def done(names, **more):
    """The rows that a task makes of names that come in two lists."""
    lines = [json.dumps(str(name)) for name in names]
    lists = [pyarrow.RecordBatch.from_pydict({"value": part}) for part in (lines[:2], lines[2:])]
    work = Work(**({"model": "m", "rate": None, "options": Options(), "batch_size": 4, "threads": 1} | more))
    return [row for batch in work(iter(lists)) for row in batch.to_pylist()]


def test_batches_go_across_unreadable_files_and_lists(model, tmp_path):
    write_images(tmp_path, 11)
    names = sorted(tmp_path.iterdir())
    names[1].write_text("no image")
    names[2].unlink()
    rows = done(names)
    assert model.sizes == [4, 4, 1]
    by_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in (task.IMAGE, task.UNREADABLE)}
    assert [row["image"] for row in by_kind[task.IMAGE]] == [str(name) for name in (names[0], *names[3:])]
    assert [(row["image"], row["reason"]) for row in by_kind[task.UNREADABLE]] == [
        (str(names[1]), "unreadable image (it is no PNG, JPEG, TIFF or BMP)"),
        (str(names[2]), "unreadable image (No such file or directory)"),
    ]


def test_what_is_unknown_is_null(model, tmp_path):
    """Also where the model has no such term, and in names of bytes that are not UTF-8."""
    write_images(tmp_path, 1)
    odd = tmp_path / "a\udcff.png"
    (tmp_path / "000.png").rename(odd)
    (row,) = done([odd])
    assert row["image"] == f"{tmp_path}/a\\xff.png"
    assert row["label"] is row["class"] is row["image_residual"] is row["screened"] is row["reason"] is None
    assert row["anomalous"] in (0, 1) and row["paper_score"] == pytest.approx(2 * row["score"])


def test_screened_films_and_films_without_lungs(model, tmp_path):
    write_images(tmp_path, 3)
    model.said = {"certainly_normal": [True, False, False], "region_found": [True, True, False]}
    rows = done(sorted(tmp_path.iterdir()))
    assert [row["screened"] for row in rows] == ["certainly_normal", "to_reader", None]
    assert [row["reason"] for row in rows] == [None, None, "no lungs found, or strange ones"]
    assert [row["kind"] for row in rows] == [task.IMAGE, task.IMAGE, task.UNREADABLE]


def test_any_error_of_one_file_is_a_reason(model, tmp_path, monkeypatch):
    def broken(path):
        raise MemoryError("of\none file")

    monkeypatch.setattr(task, "read_image", broken)
    (row,) = done([tmp_path / "a.png"])
    assert row["reason"] == "MemoryError: of one file"


def test_values_that_cannot_be(model, tmp_path):
    """A score that is no number is null, not 0."""
    write_images(tmp_path, 1)
    model.said = {"score": [math.nan]}
    (row,) = done(sorted(tmp_path.iterdir()))
    assert row["score"] is None
