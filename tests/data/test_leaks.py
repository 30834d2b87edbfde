import json

import numpy as np
import pytest

from fanogan_tf.data import leaks
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.errors import UserError


def image_set(images, kind):
    count = len(images)
    names = np.array([f"{kind}/{i}.png" for i in range(count)])
    return ImageSet(np.asarray(images), np.zeros(count, int), np.array(["normal"] * count), names)


def noise(seed, count, side=40):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 1), np.uint8)


def splits(train, validation, test):
    return Splits(image_set(train, "train"), image_set(validation, "val"), image_set(test, "test"))


def test_none():
    found = leaks.find(splits(noise(0, 9), noise(1, 5), noise(2, 7)), seed=0)
    assert not found and not found.sentences() and found.compared == {"train": 9, "validation": 5, "test": 7}


def test_exact_and_near_on_every_two_sides():
    train, validation, test = noise(0, 9), noise(1, 5), noise(2, 7)
    validation[2] = train[4]
    test[0] = train[8]
    test[1] = validation[3]
    # Half as bright and a pixel changed: another image in its bytes, the same to the eye.
    test[5] = train[6] // 2
    test[5, 0, 0] += 9
    found = leaks.find(splits(train, validation, test), seed=0)
    assert found and found.exact == {"train-validation": 1, "train-test": 1, "validation-test": 1}
    assert found.near == {"train-validation": 0, "train-test": 1, "validation-test": 0}
    assert [(leak.of_name, leak.name) for leak in found.listed] == [
        ("train/4.png", "val/2.png"),
        ("train/8.png", "test/0.png"),
        ("val/3.png", "test/1.png"),
        ("train/6.png", "test/5.png"),
    ]
    assert [leak.correlation is None for leak in found.listed] == [True, True, True, False]
    assert found.listed[-1].correlation > leaks.NEAR
    lines = found.sentences()
    assert len(lines) == 3 and lines[1].startswith("of 7 test images 1 are pixel for pixel a training image and 1 nearly")


def test_images_of_one_value_are_alike_only_if_equal():
    grey = np.full((3, 8, 8, 1), 50, np.uint8)
    grey[1] += 1
    grey[2] += 2
    found = leaks.find(splits(grey[:1], grey[1:2], grey[[0, 2]]), seed=0)
    assert found.exact["train-test"] == 1 and not any(found.near.values())


def test_at_most_so_many_are_compared(monkeypatch):
    monkeypatch.setattr(leaks, "_MOST_IMAGES", 4)
    monkeypatch.setattr(leaks, "_CHUNK", 3)
    found = leaks.find(splits(noise(0, 9), noise(1, 5), noise(0, 9)), seed=0)
    assert found.compared == {"train": 4, "validation": 4, "test": 4}
    # The same draw for both, as they are equally many: all four are found.
    assert found.exact["train-test"] == 4


def test_kept_and_read(tmp_path):
    found = leaks.find(splits(noise(0, 3), noise(1, 2), noise(0, 3)), seed=0)
    found.save(tmp_path / "leaks.json")
    assert leaks.load(tmp_path / "leaks.json") == found
    assert json.loads((tmp_path / "leaks.json").read_text())["exact"]["train-test"] == 3
    for broken in ("", "{}", '{"listed": [1]}'):
        (tmp_path / "leaks.json").write_text(broken)
        with pytest.raises(UserError, match=r"leaks\.json: damaged"):
            leaks.load(tmp_path / "leaks.json")
