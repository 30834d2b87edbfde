import os
import time
import weakref

import numpy as np
import pytest

from fanogan_tf.data import image_cache
from fanogan_tf.errors import UserError


def items(count, split="train", masks=False, shape=(3, 4), first=0):
    for n in range(first, first + count):
        image = np.full(shape, 60 * n, np.uint16)
        yield image_cache.Item(
            image, image > 90 if masks else None, image > 30 if masks else None, n % 2, f"class{n % 2}", f"{split}/{n}"
        )


def test_what_was_written_is_read(tmp_path):
    entry = image_cache.entry_path(tmp_path / "cache", ["anything"])
    splits = {"train": items(123), "test": items(4, "test", masks=True)}
    image_cache.write(entry, splits, [("a.png", "broken")], [("b.png", "no lungs found")])
    found = image_cache.read(entry)
    assert set(found.splits) == {"train", "test"}
    assert (found.skipped, found.unfit) == ([("a.png", "broken")], [("b.png", "no lungs found")])
    train, test = found.splits["train"], found.splits["test"]
    assert isinstance(train.images, np.memmap) and train.images.dtype == np.uint16 and not train.images.flags.writeable
    assert train.images.shape == (123, 3, 4, 1)
    np.testing.assert_array_equal(train.images[:65, 0, 0, 0], 60 * np.arange(65))
    assert train.masks is None
    assert isinstance(test.masks, np.memmap) and test.masks[:, 2, 3, 0].tolist() == [0, 0, 1, 1]
    assert test.labels.tolist() == [0, 1, 0, 1]
    assert test.class_names.tolist() == ["class0", "class1", "class0", "class1"]
    assert test.names.tolist() == ["test/0", "test/1", "test/2", "test/3"]


def test_files_are_plain_npy(tmp_path):
    image_cache.write(tmp_path / "prepared-x", {"train": items(1000)}, [], [])
    assert np.load(tmp_path / "prepared-x" / "train.npy", allow_pickle=False).shape == (1000, 3, 4, 1)


def test_images_that_are_windows_of_larger_ones(tmp_path):
    large = np.arange(100, dtype=np.uint16).reshape(10, 10)
    image_cache.write(tmp_path / "prepared-x", {"train": [image_cache.Item(large[2:5, 3:7], None, None, 0, "c", "n")]}, [], [])
    np.testing.assert_array_equal(image_cache.read(tmp_path / "prepared-x").splits["train"].images[0, ..., 0], large[2:5, 3:7])


def test_items_are_written_as_they_come(tmp_path):
    images = []
    most = 0

    def counted():
        nonlocal most
        for item in items(50):
            images.append(weakref.ref(item.image))
            most = max(most, sum(image() is not None for image in images))
            yield item

    image_cache.write(tmp_path / "prepared-x", {"train": counted()}, [], [])
    assert len(images) == 50
    assert most <= 3  # The one at hand, and at most the one before it in either loop.


def test_absent_or_damaged_entry_is_none(tmp_path):
    entry = tmp_path / "prepared-x"
    assert image_cache.read(entry) is None
    image_cache.write(entry, {"train": items(9)}, [], [])
    (entry / "train.npy").write_bytes((entry / "train.npy").read_bytes()[:-1])
    assert image_cache.read(entry) is None
    (entry / "train.npy").unlink()
    assert image_cache.read(entry) is None
    (entry / "meta.json").write_text("{")
    assert image_cache.read(entry) is None


def test_different_sizes(tmp_path):
    splits = {"train": items(2), "test": items(1, "test", shape=(5, 6))}
    with pytest.raises(UserError, match=r"3x4 in train/0, 5x6 in test/0; give --image_size"):
        image_cache.write(tmp_path / "prepared-x", splits, [], [])
    assert list(tmp_path.iterdir()) == []


def test_nothing_readable(tmp_path):
    with pytest.raises(UserError, match=r"train: none .*usable.*a.png: broken"):
        image_cache.write(tmp_path / "prepared-x", {"train": items(0)}, [("a.png", "a.png: broken")], [])


def test_key_is_about_the_content(tmp_path):
    assert image_cache.entry_path(tmp_path, [1, "a"]) == image_cache.entry_path(tmp_path, [1, "a"])
    assert image_cache.entry_path(tmp_path, [1, "a"]) != image_cache.entry_path(tmp_path, [1, "b"])


def test_old_entries_are_removed_and_nothing_else(tmp_path):
    image_cache.write(tmp_path / "prepared-old", {"train": items(2)}, [], [])
    (tmp_path / "mine").mkdir()
    long_ago = time.time() - 7200
    for name in (".prepared-a.1", ".prepared-b.2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.npy").touch()
        os.utime(tmp_path / name, (long_ago, long_ago))
    os.utime(tmp_path / ".prepared-a.1" / "train.npy", (long_ago, long_ago))
    image_cache.write(tmp_path / "prepared-new", {"train": items(2)}, [], [])
    assert sorted(p.name for p in tmp_path.iterdir()) == [".prepared-b.2", "mine", "prepared-new"]
