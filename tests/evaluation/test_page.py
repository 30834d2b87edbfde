import numpy as np

from fanogan_tf.evaluation import metrics, page
from tests.helpers.fakes import make_table
from tests.helpers.html_checks import Page


def _values(table, threshold):
    values = metrics.image_metrics(table.label, table.score, threshold)
    values |= {"images": len(table), "seconds": 2.0, "images_per_second": 3.5, "per_class": metrics.per_class(table)}
    values["per_term"] = metrics.per_term(table)
    return values | {"normal_images": int((table.label == 0).sum()), "anomalous_images": int((table.label == 1).sum())}


def _page(labels, facts=None, shown=frozenset(), classes=None, note="synthetic <phantom>", **more):
    table = make_table(np.arange(1.0, 1.0 + len(labels)), labels, classes or ["c"] * len(labels), 2.5)
    return Page(page.render(table, _values(table, 2.5) | more, set(shown), facts or {}, note))


def test_headline_numbers():
    found = _page([0, 0, 1, 1, 0, 1])
    # Pairs won: 2 + 2 + 3 of 9; above 2.5 all three found and one of three normals called.
    assert "0.778" in found.text
    assert "77.8 % of all pairs" in found.text
    assert found.cells[6:12] == ["calibrated on held-out normal images", "2.5", "1.000", "0.667", "0.750", "0.857"]
    assert "6 test images, 3 labelled normal and 3 labelled anomalous" in found.text
    assert "3.5 images per second" in found.text


def _row(auroc, low, high):
    return {"auroc": auroc, "low": auroc, "high": auroc, "difference": {"value": 0.0, "p": 0.5, "low": low, "high": high}}


def test_it_opens_with_the_verdict():
    """Counts at the threshold, what needs no model, and the doctor's problems; then the sheet of hits and misses."""
    counts = "Of 3 anomalous images 3 are found (100.0 %), and of 3 normal ones 1 are taken for anomalous (33.3 %)."
    labels = [0, 0, 1, 1, 0, 1]
    assert counts in _page(labels).text
    for (low, high), said in (
        ((0.01, 0.2), "better than what needs no model (grey & mean, AUROC 0.700)"),
        ((-0.1, 0.1), "no better, within the interval, than grey & mean, which needs no model (AUROC 0.700)"),
        ((-0.2, -0.01), "worse than grey & mean, which needs no model"),
    ):
        found = _page(labels, no_model={"PCA": _row(0.6, 0.1, 0.2), "grey & mean": _row(0.7, low, high)})
        assert f"{counts} It tells them apart {said}" in found.text
    sick = [
        {"name": name, "state": state, "evidence": "", "remedy": ""} for name, state in (("blur", "problem"), ("size", "fine"))
    ]
    assert "The doctor has something to say: blur." in _page(labels, doctor=sick).text
    assert "1 of 3 images are called anomalous." in _page([-1, -1, -1]).text
    sheet_first = _page(labels, shown={"roc", "reconstructions"})
    assert sheet_first.images == ["reconstructions.png", "roc.png"]


def test_everything_from_outside_is_escaped():
    nasty = "<script>alert('x')</script> & \"more\""
    found = _page([0, 1], facts={nasty: nasty}, classes=[nasty, "b"], note=nasty)
    assert "script" not in found.tags
    assert found.cells.count(nasty) == 4  # in the classes, in the highest scores, and both sides of the settings
    assert nasty in found.text


def test_only_figures_that_exist_are_shown():
    found = _page([0, 1], shown={"roc", "boxplot"})
    assert found.images == ["roc.png", "boxplot.png"]
    assert found.links == ["roc.png", "boxplot.png", "metrics.json"]


def test_it_says_why_there_are_no_curves():
    assert "No test image is labelled, so the curves" in _page([-1, -1]).text
    assert "No test image is labelled anomalous" in _page([0, -1]).text
    assert "No test image is labelled normal" in _page([1, -1]).text
    assert "No test image" not in _page([0, 1]).text


def test_highest_scores():
    found = _page([0, 1] * 10)
    assert "The 10 highest scores" in found.text
    start = found.cells.index("Score")
    assert found.cells[start + 1 : start + 9] == ["19", "c", "anomalous", "20", "18", "c", "normal", "19"]
    assert len(found.cells) == start + 1 + 40


def test_pixels():
    pixel = {"auroc": 0.81, "average_precision": 0.4, "pixels": 5000, "anomalous_pixels": 60}
    pixel["youden"] = {"threshold": 0.3, "precision": 0.2, "sensitivity": 0.7, "specificity": 0.9, "f_score": 0.4}
    cells = _page([0, 1], pixel=pixel).cells
    assert cells[cells.index("Anomalous pixels") + 1 :][:7] == ["0.810", "0.400", "0.700", "0.900", "0.3", "5,000", "60"]
    assert "The masks mark no pixel" in _page([0, 1], pixel=None).text
    assert "masks" not in _page([0, 1]).text


_PIXEL = {"auroc": 0.81, "average_precision": 0.4, "pixels": 5000, "anomalous_pixels": 60}
_PIXEL["youden"] = {"threshold": 0.3, "precision": 0.2, "sensitivity": 0.7, "specificity": 0.9, "f_score": 0.4}
_REGIONS = {"aupro": 0.321, "regions": 1200, "hits": 300, "hit_rate": 0.25, "mean_overlap": 0.375, "threshold": 0.42}
_REGIONS |= {"false_positive_rate": 0.05, "per_kind": {}}


def _after(cells, text, count):
    return cells[cells.index(text) + 1 :][:count]


def test_regions():
    found = _page([0, 1], pixel=_PIXEL | {"regions": _REGIONS})
    assert _after(found.cells, "Mean overlap", 5) == ["all", "1,200", "300", "25.0 %", "37.5 %"]
    assert "AUPRO 0.321" in " ".join(found.text.split()) and "above 0.42, as 5.0 % of the normal pixels have" in found.text
    assert "Volumes" not in found.text


def test_maps_beside_the_residual():
    residual = {"auroc": 0.81, "average_precision": 0.4, "aupro": 0.321, "hit_rate": 0.25, "pointing": 0.125}
    pixel = _PIXEL | {"regions": _REGIONS, "maps": {"residual": residual, "block_map": residual | {"auroc": 0.93}}}
    cells = _page([0, 1], pixel=pixel).cells
    assert _after(cells, "Highest on the mask", 6) == ["|x - G(E(x))|", "0.810", "0.400", "0.321", "25.0 %", "12.5 %"]
    assert _after(cells, "the critic's maps of x and of G(E(x))", 1) == ["0.930"]
    assert "Highest on the mask" not in _page([0, 1], pixel=pixel | {"maps": {}}).cells


def test_volumes():
    cyst = {"regions": 7, "hits": 2, "hit_rate": 2 / 7, "mean_overlap": 0.5}
    volumes = {"volumes": 21, "normal_volumes": 10, "anomalous_volumes": 9, "auroc_mean": 0.951, "auroc_max": None}
    volumes["scans"] = {"scans": 1000, "anomalous_scans": 77, "auroc": 0.888}
    volumes |= {"pixel": _PIXEL, "regions": _REGIONS | {"per_kind": {"a_<cyst>": cyst}}}
    found = _page([0, 1], volumes=volumes)
    assert "21 volumes, 10 labelled normal and 9 labelled anomalous" in found.text
    aurocs = _after(found.cells, "Anomalous", 10)
    assert aurocs[2::3] == ["9 of 19", "9 of 19", "77 of 1,000"] and aurocs[3::3] == ["0.951", "n/a", "0.888"]
    assert _after(found.cells, "Anomalous pixels", 4) == ["0.810", "0.400", "0.700", "0.900"]
    assert _after(found.cells, "Mean overlap", 10)[5:] == ["a <cyst>", "7", "2", "28.6 %", "50.0 %"]
    # How regions are read is said once.
    assert found.text.count("connected piece") == 1
    both = _page([0, 1], volumes=volumes, pixel=_PIXEL | {"regions": _REGIONS})
    assert both.text.count("connected piece") == 1 and both.cells.count("Mean overlap") == 2
    # Without fluid there is still the comparison of volumes.
    found = _page([0, 1], volumes=volumes | {"pixel": None, "regions": None})
    assert "No pixel is marked as fluid" in found.text and "0.951" in found.cells
    assert "Mean overlap" not in found.cells
