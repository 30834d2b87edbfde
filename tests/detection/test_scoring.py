import time

import numpy as np

from fanogan_tf.detection import score_table, scoring
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.scoring import batch_size_for, score_rows


class Brightness:
    INPUTS = ("image",)
    """A detector whose score is the mean of the image."""

    calibration = calibrate(np.arange(1.0, 20.0), "quantile", 0.05)

    def __init__(self):
        self.batches = []

    def judge(self, images):
        self.batches.append(len(images))
        score = images.mean((1, 2, 3))
        terms = {"image_residual": 2 * score, "feature_residual": 3 * score, "latent_distance": 4 * score}
        decision = {"probability": self.calibration.probability(score), "anomalous": self.calibration.anomalous(score)}
        return {"score": score, **terms, **decision}


class Source:
    """Seven images of brightness 16, 17, ... 22."""

    def __len__(self):
        return 7

    def batches(self, batch_size):
        for first in range(0, 7, batch_size):
            numbers = np.arange(first, min(first + batch_size, 7))
            yield {
                "image": np.full((len(numbers), 2, 2, 1), 16.0) + numbers[:, None, None, None],
                "label": (numbers % 3 - 1).astype(np.int32),
                "class_name": np.array([f"class {n}" for n in numbers]),
                "name": np.array([f"{n}.png" for n in numbers]),
            }


def test_rows():
    detector = Brightness()
    rows = list(score_rows(detector, Source(), 3))
    assert detector.batches == [3, 3, 1]
    assert [row["image"] for row in rows] == [f"{n}.png" for n in range(7)]
    assert [row["label"] for row in rows] == [-1, 0, 1, -1, 0, 1, -1]
    assert [row["class"] for row in rows] == [f"class {n}" for n in range(7)]
    assert [bool(row["anomalous"]) for row in rows] == [False, False, False, False, True, True, True]
    np.testing.assert_allclose([row["probability"] for row in rows[:4]], [0.8, 0.85, 0.9, 0.95])
    for name, factor in (("score", 1), ("image_residual", 2), ("feature_residual", 3), ("latent_distance", 4)):
        np.testing.assert_allclose([row[name] for row in rows], factor * np.arange(16, 23))
    assert all(set(row) == {*score_table.COLUMNS, "group"} for row in rows)


def test_batch_size_changes_nothing():
    assert list(score_rows(Brightness(), Source(), 7)) == list(score_rows(Brightness(), Source(), 2))


def test_at_most_one_batch_is_scored_ahead():
    detector = Brightness()
    rows = score_rows(detector, Source(), 2)
    next(rows)
    next(rows)
    time.sleep(0.1)  # What would run ahead further had the time to.
    assert detector.batches == [2, 2]
    next(rows)
    time.sleep(0.1)
    assert detector.batches == [2, 2, 2]


def test_on_batch():
    seen = []
    list(
        score_rows(
            Brightness(), Source(), 4, lambda batch, measured: seen.append((batch["name"].tolist(), len(measured["score"])))
        )
    )
    assert seen == [(["0.png", "1.png", "2.png", "3.png"], 4), (["4.png", "5.png", "6.png"], 3)]


def test_into_a_table(tmp_path):
    assert score_table.write(tmp_path / "s.csv", score_rows(Brightness(), Source(), 4)) == 7
    table = score_table.read(tmp_path / "s.csv")
    np.testing.assert_allclose(table.score, np.arange(16, 23))
    assert table.label.tolist() == [-1, 0, 1, -1, 0, 1, -1]


def test_batch_size_that_was_asked_for_or_suits_the_machine(monkeypatch):
    for devices, own in (([], (64, 64, 64)), (["a GPU"], (1024, 256, 64))):
        monkeypatch.setattr(scoring.tf.config, "list_physical_devices", lambda kind, devices=devices: devices)
        assert batch_size_for(7) == 7
        assert tuple(batch_size_for(0, (side, side, 1)) for side in (32, 128, 512)) == own
