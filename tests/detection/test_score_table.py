import numpy as np
import pytest

from fanogan_tf.detection import score_table
from fanogan_tf.errors import UserError

HEADER = "image,label,class,score,probability,anomalous,image_residual,feature_residual,latent_distance"


def row(name, label=1, class_name="cyst", score=0.5, anomalous=True, feature=2.0):
    return {
        "image": name,
        "label": label,
        "class": class_name,
        "score": score,
        "probability": 0.25,
        "anomalous": anomalous,
        "image_residual": 1.0,
        "feature_residual": feature,
        "latent_distance": 3.0,
    }


def test_by_hand(tmp_path):
    rows = [row("a.png"), row("b.png", -1, "", 1e-7, np.bool_(False), np.nan)]
    assert score_table.write(tmp_path / "s.csv", rows) == 2
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        HEADER,
        "a.png,1,cyst,0.5,0.25,1,1,2,3",
        "b.png,,,1e-07,0.25,0,1,,3",
    ]


def test_round_trip(tmp_path):
    random = np.random.default_rng(0)
    scores = (random.gamma(1.0, size=50) * 10.0 ** random.integers(-8, 8, 50)).astype(np.float32)
    names = [f"{n}.png" for n in random.permutation(50)]
    names[7] = 'with "quotes", commas and\na line.png'
    names[8] = "Überrest/ä b.png"
    labels = random.integers(-1, 2, 50)
    rows = (row(*values) for values in zip(names, labels, labels.astype(str), scores, scores > 1, scores, strict=True))
    score_table.write(tmp_path / "new" / "s.csv", rows)
    table = score_table.read(tmp_path / "new" / "s.csv")
    assert len(table) == 50 and table.image.tolist() == names
    assert table.label.tolist() == labels.tolist() and table.class_name.tolist() == labels.astype(str).tolist()
    np.testing.assert_array_equal(table.score.astype(np.float32), scores)
    assert table.score.dtype == np.float64 and table.anomalous.dtype == bool
    np.testing.assert_array_equal(table.anomalous, scores > 1)
    np.testing.assert_array_equal(table.feature_residual.astype(np.float32), scores)
    assert set(table.probability) == {0.25} and set(table.image_residual) == {1.0} and set(table.latent_distance) == {3.0}


def test_unknown_stays_unknown(tmp_path):
    score_table.write(tmp_path / "s.csv", [row("a", -1, "", feature=np.nan), row("b", 0)])
    table = score_table.read(tmp_path / "s.csv")
    assert table.label.tolist() == [-1, 0] and table.class_name.tolist() == ["", "cyst"]
    assert np.isnan(table.feature_residual).tolist() == [True, False]


def test_no_rows(tmp_path):
    assert score_table.write(tmp_path / "s.csv", []) == 0
    assert len(score_table.read(tmp_path / "s.csv")) == 0


def broken():
    yield row("a")
    raise RuntimeError("out of images")


@pytest.mark.parametrize("old", [None, "old scores"])
def test_whole_or_not_at_all(tmp_path, old):
    path = tmp_path / "s.csv"
    if old:
        path.write_text(old)
    with pytest.raises(RuntimeError, match="out of images"):
        score_table.write(path, broken())
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == ({"s.csv": old} if old else {})


def test_appears_with_the_last_row(tmp_path):
    path = tmp_path / "s.csv"

    def rows():
        for name in "ab":
            assert not path.exists()
            yield row(name)

    score_table.write(path, rows())
    assert path.exists()


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"none.csv: no scores here; run fanogan score first"):
        score_table.read(tmp_path / "none.csv")


@pytest.mark.parametrize("text", ["", "image,label\na,1\n", "hello", HEADER.replace(",", ";")])
def test_another_table(tmp_path, text):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(UserError, match=r"s.csv: not a score table \(expected the columns image,label,class,"):
        score_table.read(tmp_path / "s.csv")


@pytest.mark.parametrize(
    "line", ["a,1,cyst,high,0.25,1,1,2,3", "a,one,cyst,0.5,0.25,1,1,2,3", "a,1,cyst,0.5,0.25,,1,2,3", "a,1,cyst"]
)
def test_damaged(tmp_path, line):
    (tmp_path / "s.csv").write_text(f"{HEADER}\nb,0,c,0.5,0.25,1,1,2,3\n{line}\n")
    with pytest.raises(UserError, match=r"s.csv: a damaged score table \(.+\); run fanogan score again"):
        score_table.read(tmp_path / "s.csv")


def test_cut_off_in_the_last_row(tmp_path):
    (tmp_path / "s.csv").write_text(f"{HEADER}\nb,0,c,0.5,0.25,1,1,2,3\na,1,cyst,0.5,0.25,1")
    with pytest.raises(UserError, match="damaged"):
        score_table.read(tmp_path / "s.csv")
