import re

import keras
import numpy as np
import pytest

from fanogan_tf.data import one_class
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


def arrays():
    """40 training and 20 test images; every pixel of one tells its class times ten, but its first pixel its index."""
    made = {}
    for split, count in (("train", 40), ("test", 20)):
        classes = (np.arange(count) % 10).astype(np.uint8)
        images = np.ones((count, 28, 28), np.uint8) * classes[:, None, None] * 10
        images[:, 0, 0] = np.arange(count)
        made[f"x_{split}"], made[f"y_{split}"] = images, classes
    return made


@pytest.fixture
def path(tmp_path):
    np.savez_compressed(tmp_path / "some.npz", **arrays())
    return tmp_path / "some.npz"


def options(path, **changes):
    return Options(**{"dataset": "mnist", "data_path": str(path), "normal_class": "5", **changes})


def test_splits(path):
    splits = one_class.mnist_splits(options(path, validation_fraction=0.5))
    assert len(splits.train) == 2 and len(splits.validation) == 2 and len(splits.test) == 20
    names = sorted([*splits.train.names, *splits.validation.names])
    assert names == [f"mnist/train/{i:05d}" for i in (5, 15, 25, 35)]
    assert [int(name[-5:]) for name in splits.train.names] == splits.train.images[:, 0, 0, 0].tolist()
    assert (splits.train.images[:, 1:] == 50).all()
    assert splits.test.names.tolist() == [f"mnist/test/{i:05d}" for i in range(20)]
    assert splits.test.labels.tolist() == ([1] * 5 + [0] + [1] * 4) * 2
    assert splits.test.class_names.tolist() == list("0123456789") * 2


def test_validation_is_the_same_in_every_run(path):
    first, second, other = (one_class.mnist_splits(options(path, validation_fraction=0.5, split_seed=s)) for s in (3, 3, 4))
    assert first.validation.names.tolist() == second.validation.names.tolist()
    assert first.validation.names.tolist() != other.validation.names.tolist()


def test_fashion_names(path):
    splits = one_class.mnist_splits(options(path, dataset="fashion_mnist", normal_class="ankle boot", image_size="32x30"))
    assert splits.train.image_shape == (32, 30, 1)
    assert set(splits.train.class_names) == {"Ankle boot"}
    assert splits.train.names[0].startswith("fashion_mnist/train/000")
    assert (splits.test.labels == 0).nonzero()[0].tolist() == [9, 19]


def test_keras_download(monkeypatch):
    made = arrays()
    monkeypatch.setattr(
        keras.datasets.fashion_mnist, "load_data", lambda: ((made["x_train"], made["y_train"]), (made["x_test"], made["y_test"]))
    )
    assert len(one_class.mnist_splits(Options(dataset="fashion_mnist", normal_class="5")).test) == 20


def test_failed_download_asks_for_a_file(monkeypatch):
    def fail():
        raise Exception("URL fetch failure\non somewhere")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(UserError, match=r"^--dataset=mnist: .*URL fetch failure on somewhere.*--data_path=mnist.npz"):
        one_class.mnist_splits(Options(dataset="mnist"))


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"none.npz: no such file.*--data_path"):
        one_class.mnist_splits(options(tmp_path / "none.npz"))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_no_npz(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"bad.npz: not a readable .npz"):
        one_class.mnist_splits(options(tmp_path / "bad.npz"))


def test_truncated_npz(path):
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"not a readable .npz"):
        one_class.mnist_splits(options(path))


def test_damaged_member(path):
    content = bytearray(path.read_bytes())
    content[200:260] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a readable .npz"):
        one_class.mnist_splits(options(path))


def test_a_single_npy_is_no_npz(tmp_path):
    with open(tmp_path / "one.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match=r"not a readable .npz"):
        one_class.mnist_splits(options(tmp_path / "one.npz"))


def test_missing_array(tmp_path):
    made = arrays()
    del made["y_test"]
    np.savez(tmp_path / "part.npz", **made)
    with pytest.raises(UserError, match=r"part.npz: the array y_test is missing"):
        one_class.mnist_splits(options(tmp_path / "part.npz"))


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "objects.npz", **{**arrays(), "y_test": np.array([{"a": 1}] * 20, dtype=object)})
    with pytest.raises(UserError, match=r"not a readable .npz of plain arrays"):
        one_class.mnist_splits(options(tmp_path / "objects.npz"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x_train", np.zeros((40, 28, 28), np.float32), "x_train must be (N, H, W) uint8"),
        ("x_test", np.zeros((20, 784), np.uint8), "x_test must be (N, H, W) uint8"),
        ("y_train", np.zeros(39, np.uint8), "y_train must be 40 class indices"),
        ("y_test", np.full(20, 10), "y_test must be 20 class indices"),
        ("y_test", np.zeros(20, np.float32), "y_test must be 20 class indices"),
        ("x_test", np.zeros((20, 28, 27), np.uint8), "differ in size"),
    ],
)
def test_unfit_arrays(tmp_path, name, value, message):
    np.savez(tmp_path / "unfit.npz", **{**arrays(), name: value})
    with pytest.raises(UserError, match="unfit.npz: .*" + re.escape(message)):
        one_class.mnist_splits(options(tmp_path / "unfit.npz"))


def test_class_without_images(tmp_path):
    made = arrays()
    made["y_train"][made["y_train"] == 5] = 4
    np.savez(tmp_path / "four.npz", **made)
    with pytest.raises(UserError, match=r"normal_class=5: .*choose one of 0, 1, 2, 3, 4, 6, 7, 8, 9"):
        one_class.mnist_splits(options(tmp_path / "four.npz"))
