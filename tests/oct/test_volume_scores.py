import math

import numpy as np
import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.oct import volume_scores
from fanogan_tf.oct.preparation import PreparedVolume
from fanogan_tf.oct.volume_scores import VolumeScores


def volume(name, eye="OD", label=-1, scans=7, left_out=()):
    none = np.zeros((0, 4), np.int64)
    areas = np.zeros((0, 4, 4), np.uint16)
    return PreparedVolume(name, eye, (scans, 9, 4), (0.1, 0.1, 0.1), areas, none[:, 0], none, none, left_out, label=label)


def row(name, score, anomalous=False):
    scores = {"score": np.float32(score), "anomalous": np.bool_(anomalous)}
    return {"image": name, "group": name.rpartition("#")[0], "label": 1, "class": "x", **scores}


def written(path, rows, volumes):
    scores = VolumeScores()
    list(scores.passing(rows))
    scores.write(path, volumes)
    return volume_scores.read(path)


def test_figures(tmp_path):
    rows = [
        row("a.vol#0@0,0", 1),
        row("b/c.vol#0@0,0", 7),
        row("a.vol#0@0,64", 6, True),
        row("a.vol#12@64,0", 2, True),
        row("a.vol#12@64,64", 3),
        row("not_in_the_list.vol#1@0,0", 99),
    ]
    volumes = [volume("b/c.vol", "", label=0), volume("a.vol", "OS", 1, 13, ((3, "dark"), (5, "dark")))]
    found = written(tmp_path / "v.csv", rows, volumes)
    names = ("volume", "label", "eye", "bscans", "left_out", "patches", "score_mean", "score_max", "share_anomalous")
    assert [tuple(f) for f in found] == [names, names] == [volume_scores.COLUMNS] * 2
    assert [tuple(f.values()) for f in found] == [
        ("b/c.vol", 0, "", 7, 0, 1, 7.0, 7.0, 0.0),
        ("a.vol", 1, "OS", 13, 2, 4, 3.0, 6.0, 0.5),
    ]
    assert [type(value) for value in found[0].values()] == [str, int, str, int, int, int, float, float, float]


def test_rows_pass_as_they_are_and_one_by_one():
    rows = [row("a#0@0,0", 1), row("picture.png", 2), row("a#0@0,4", 3)]
    given = []

    def source():
        for each in rows:
            given.append(each)
            yield each

    passing = VolumeScores().passing(source())
    assert next(passing) is rows[0] and len(given) == 1
    assert [id(each) for each in passing] == [id(each) for each in rows[1:]]


def test_names_with_the_separators_in_them(tmp_path):
    names = ["a#1@2,3", "a", "eye@left#2", "#", 'line\nbreak, "comma"', "odd\udcff"]
    rows = [row(f"{name}#{n}@0,{n}", n) for n, name in enumerate(names)]
    found = written(tmp_path / "v.csv", rows, [volume(name) for name in names])
    assert [(f["volume"], f["patches"], f["score_mean"]) for f in found] == [(name, 1, n) for n, name in enumerate(names)]


def test_a_volume_without_patches_and_without_label(tmp_path):
    (found,) = written(tmp_path / "v.csv", [], [volume("a.vol", label=-1)])
    assert found["label"] == -1 and found["patches"] == 0
    assert all(math.isnan(found[name]) for name in ("score_mean", "score_max", "share_anomalous"))
    assert (tmp_path / "v.csv").read_text().splitlines()[1] == "a.vol,,OD,7,0,0,,,"


def test_scores_keep_their_digits(tmp_path):
    score = np.float32(0.123456789)
    (found,) = written(tmp_path / "v.csv", [row("a#0@0,0", score)], [volume("a")])
    assert np.float32(found["score_max"]) == score and np.float32(found["score_mean"]) == score


def test_scores_below_zero(tmp_path):
    (found,) = written(tmp_path / "v.csv", [row("a#0@0,0", -3), row("a#0@0,4", -1)], [volume("a")])
    assert (found["score_mean"], found["score_max"]) == (-2, -1)


def test_missing_and_damaged_tables(tmp_path):
    path = tmp_path / "v.csv"
    with pytest.raises(UserError, match="no scores of volumes here"):
        volume_scores.read(path)
    path.write_text("image,label\n")
    with pytest.raises(UserError, match="not a table of volume scores"):
        volume_scores.read(path)
    header = ",".join(volume_scores.COLUMNS)
    path.write_text(f"{header}\na,1,OD,7,0,5\n")
    with pytest.raises(UserError, match="cut off"):
        volume_scores.read(path)
    path.write_text(f"{header}\na,1,OD,7,0,many,1,2,0.5\n")
    with pytest.raises(UserError, match="damaged"):
        volume_scores.read(path)
