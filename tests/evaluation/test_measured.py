"""What is kept of the scoring, and that it belongs to its table."""

import numpy as np
import pytest

from fanogan_tf.detection.detector import SETTINGS_FILE
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import measured
from fanogan_tf.evaluation.measured import Counting
from fanogan_tf.evaluation.pixels import PixelCounts
from tests.helpers.fakes import FakeDetector, FakeTest, table_of


def kept(folder, masks=True, latent_dim=4, groups=None):
    test = FakeTest(masks=masks)
    detector = FakeDetector(test, latent_dim)
    counting = Counting()
    for batch in test.batches(7):
        counting.update(batch, detector.measure(batch["image"]))
    (folder / "scores.csv").write_text("some scores")
    (folder / SETTINGS_FILE).write_text("some settings")
    table, scores = table_of(test, detector), folder / "scores.csv"
    made = measured.measure(detector, test, table, scores, folder, counting, seed=3, groups=groups)
    return test, detector, made


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, strict=True)
    else:
        assert one == other


def test_it_comes_back_as_it_was(tmp_path):
    for number, changes in enumerate(({}, {"masks": False}, {"latent_dim": 2}, {"groups": {"volumes": 2, "auroc_mean": None}})):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, _, made = kept(folder, **changes)
        made.save(folder / "measured")
        assert_same(vars(measured.load(folder / "measured", folder / "scores.csv", folder)), vars(made))


def test_pixels_are_those_of_all_images_at_once(tmp_path):
    test, detector, made = kept(tmp_path)
    counts = PixelCounts()
    counts.update(detector.measure(test.float_images(np.arange(60)))["residual"], test.masks)
    others = {"regions": None, "pointing": None, "maps": {}}
    assert made.pixel | others == counts.result() | others
    assert made.pixel["pointing"]["images"] == 40
    np.testing.assert_array_equal(made.pixel_roc, np.stack(counts.roc_curve()))


def test_maps_of_the_critic_are_counted_beside_the_residual(tmp_path, monkeypatch):
    """Here the one map is the residual in its own unit, up to 64, and the other its reverse."""
    original = FakeDetector.measure

    def with_maps(detector, images):
        found = original(detector, images)
        return found | {"block_map": 32.0 * found["residual"], "normality_map": 2.0 - found["residual"]}

    monkeypatch.setattr(FakeDetector, "measure", with_maps)
    _, _, made = kept(tmp_path)
    maps = made.pixel["maps"]
    assert list(maps) == ["residual", "block_map", "normality_map"]
    assert maps["block_map"] == pytest.approx(maps["residual"], rel=1e-3)
    assert maps["residual"]["auroc"] == made.pixel["auroc"] > 0.5
    assert maps["residual"]["aupro"] == made.pixel["regions"]["aupro"] > maps["normality_map"]["aupro"]
    assert maps["normality_map"]["auroc"] == pytest.approx(1.0 - made.pixel["auroc"], abs=1e-3)


def test_another_table_or_detector_or_none_is_refused(tmp_path):
    _, _, made = kept(tmp_path)
    with pytest.raises(UserError, match=r"measured: nothing kept from the scoring; run fanogan score on this run again"):
        measured.load(tmp_path / "measured", tmp_path / "scores.csv", tmp_path)
    made.save(tmp_path / "measured")
    (tmp_path / SETTINGS_FILE).write_text("other settings")
    with pytest.raises(UserError, match=r"measured: of another detector than the run's; run fanogan score on this run again"):
        measured.load(tmp_path / "measured", tmp_path / "scores.csv", tmp_path)
    (tmp_path / "scores.csv").write_text("other scores")
    with pytest.raises(UserError, match=r"scores\.csv: not the table that was scored last; run fanogan score"):
        measured.load(tmp_path / "measured", tmp_path / "scores.csv", tmp_path)


def test_damaged_is_said_in_one_line(tmp_path):
    _, _, made = kept(tmp_path)
    for name in ("measured.json", "arrays.npz"):
        made.save(tmp_path / "measured")
        file = tmp_path / "measured" / name
        for content in (b"", file.read_bytes()[:100], b"{}"):
            file.write_bytes(content)
            with pytest.raises(UserError, match=r"measured: damaged \(.*\); run fanogan score on this run again"):
                measured.load(tmp_path / "measured", tmp_path / "scores.csv", tmp_path)
