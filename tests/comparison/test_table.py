import csv
import io

import pytest

from fanogan_tf.comparison.tables import Column, Table, summary

TABLE = Table(
    "t",
    "A table",
    "method",
    (Column("auroc", "AUC"), Column("seconds", "training, s", 0)),
    [("one", {"auroc": [0.9, 0.8], "seconds": [61.4]}), ("two, other", {"auroc": [], "seconds": [5.0, 7.0]})],
    ("A note.",),
)


def test_summary_by_hand():
    mean, sd = summary([1.0, 2.0, 6.0])
    assert mean == 3.0 and sd == pytest.approx(7.0**0.5)
    assert summary([4.0]) == (4.0, None)


def test_markdown_has_mean_and_sd():
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "## A table"
    assert lines[2:6] == [
        "| method | AUC | training, s |",
        "|---|---|---|",
        "| one | 0.8500 ± 0.0707 | 61 |",
        "| two, other | - | 6 ± 1 |",
    ]
    assert lines[7] == "A note."


def test_csv_has_a_number_per_cell():
    first, second = csv.DictReader(io.StringIO(TABLE.csv()))
    assert first["method"] == "one" and float(first["auroc"]) == pytest.approx(0.85) and first["auroc_seeds"] == "2"
    assert float(first["auroc_sd"]) == pytest.approx(0.0707106781)
    assert (first["seconds"], first["seconds_sd"], first["seconds_seeds"]) == ("61.4", "", "1")
    assert second["method"] == "two, other" and (second["auroc"], second["auroc_seeds"]) == ("", "0")


def test_json_has_every_seed():
    assert TABLE.json() == {
        "title": "A table",
        "rows": [
            {"name": "one", "auroc": [0.9, 0.8], "seconds": [61.4]},
            {"name": "two, other", "auroc": [], "seconds": [5.0, 7.0]},
        ],
        "notes": ["A note."],
    }
