import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from fanogan_tf.detection.detector import SETTINGS_FILE
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import measured, report
from fanogan_tf.evaluation.measured import Counting
from tests.helpers.fakes import FakeDetector, FakeTest, table_of
from tests.helpers.html_checks import Page

FIGURES = {"roc", "precision_recall", "histogram", "boxplot", "reconstructions", "latent_walk"}
TIMING = {"seconds": 1.5, "images_per_second": 40.0}


def _measured(folder, test, table, detector, groups=None):
    counting = Counting()
    for batch in test.batches(7):
        counting.update(batch, detector.measure(batch["image"]))
    scores = folder / "scores.csv"
    for path in (scores, folder / SETTINGS_FILE):
        path.write_text("kept for its sum alone")
    return measured.measure(detector, test, table, scores, folder, counting, groups=groups)


def _write(folder, test, table=None, detector=None, timing=TIMING, groups=None):
    detector = detector or FakeDetector(test)
    table = table_of(test, detector) if table is None else table
    folder.parent.mkdir(exist_ok=True)
    kept = _measured(folder.parent, test, table_of(test, detector), detector, groups)
    for name in ("scores.csv", SETTINGS_FILE):
        (folder.parent / name).unlink()
    facts = {"method": "fanogan"}
    return report.write_report(folder, table, kept, timing=timing, facts=facts, note="synthetic phantom")


def _check(folder, figures):
    assert {path.name for path in folder.iterdir()} == {f"{name}.png" for name in figures} | {"index.html", "metrics.json"}
    for name in figures:
        with Image.open(folder / f"{name}.png") as image:
            image.load()
            assert 600 <= image.width <= 1600 and 300 <= image.height <= 4000
            assert len(image.convert("L").getcolors()) > 20
    source = (folder / "index.html").read_text(encoding="utf-8")
    assert "http" not in source and "<script" not in source
    page = Page(source)
    assert {f"{name}.png" for name in figures} == set(page.images)
    assert all((folder / link).is_file() for link in page.links)
    return page


def test_the_whole_report(tmp_path):
    values = _write(tmp_path / "report", FakeTest(masks=True))
    page = _check(tmp_path / "report", FIGURES | {"pixel_roc"})
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == values
    assert set(values) == {
        "auroc", "average_precision", "youden", "operating_point", "pixel", "images", "normal_images", "anomalous_images",
        "seconds", "images_per_second", "per_class", "per_term", "reliability", "no_model", "per_group", "subgroups",
    }  # fmt: skip
    assert values["images"] == 60
    assert (values["seconds"], values["images_per_second"]) == (1.5, 40.0)
    assert values["pixel"]["pixels"] == 60 * 256
    assert 0.15 < values["pixel"]["regions"]["aupro"] < 1 and values["pixel"]["regions"]["regions"] >= 40
    assert values["auroc"] > 0.9
    assert f"{values['auroc']:.3f}" in page.text
    assert "fanogan" in page.cells
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_volumes_go_into_metrics_and_page(tmp_path):
    volumes = {"volumes": 3, "normal_volumes": 2, "anomalous_volumes": 1, "auroc_mean": 1.0, "auroc_max": 0.5}
    volumes |= {"scans": {"scans": 9, "anomalous_scans": 0, "auroc": None}, "pixel": None, "regions": None}
    _write(tmp_path / "report", FakeTest(), groups=volumes)
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["volumes"] == volumes
    assert "3 volumes, 2 labelled normal" in _check(tmp_path / "report", FIGURES).text


def test_without_masks(tmp_path):
    assert "pixel" not in _write(tmp_path / "report", FakeTest(), timing={"seconds": None, "images_per_second": float("nan")})
    _check(tmp_path / "report", FIGURES)
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["images_per_second"] is None


def test_without_labels(tmp_path):
    test = FakeTest()
    detector = FakeDetector(test)
    test.labels, test.class_names = np.full(60, -1), np.full(60, "")
    values = _write(tmp_path / "report", test, detector=detector, timing={})
    assert values["auroc"] is values["youden"] is values["seconds"] is None
    page = _check(tmp_path / "report", FIGURES - {"roc", "precision_recall"})
    assert "No test image is labelled" in page.text


def test_scores_that_cannot_be_reported(tmp_path):
    test = FakeTest()
    detector = FakeDetector(test)
    table = table_of(test, detector)
    with pytest.raises(UserError, match="1 of 60 scores are not finite"):
        _write(tmp_path / "report", test, dataclasses.replace(table, score=np.append(table.score[:-1], np.nan)), detector)
    with pytest.raises(UserError, match="no scores in it"):
        report.check_scores(table.take(np.arange(0)), 1.0)


def test_scores_of_another_threshold(tmp_path):
    test = FakeTest()
    detector = FakeDetector(test)
    table = table_of(test, detector)
    detector.calibration.threshold *= 1.5
    with pytest.raises(UserError, match="another threshold"):
        _write(tmp_path / "report", test, table, detector)


def test_a_failure_leaves_the_old_report(tmp_path, monkeypatch):
    test = FakeTest()
    _write(tmp_path / "report", test)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "report").iterdir())

    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(report.page, "render", fail)
    with pytest.raises(RuntimeError):
        _write(tmp_path / "report", test)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "report").iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
