import io
import re

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from fanogan_tf.data import one_class
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

NAMES = ("T-shirt/top", "Trouser", "Bag")


def test_class_by_index_or_name():
    for text, index in (("0", 0), ("2", 2), ("trouser", 1), (" BAG ", 2), ("t-shirt/TOP", 0)):
        assert one_class.normal_classes(Options(normal_class=text), NAMES, np.arange(3)).tolist() == [index], text
        others = [i for i in range(3) if i != index]
        assert (
            one_class.normal_classes(Options(anomalous_class=text, normal_class="7"), NAMES, np.arange(3)).tolist() == others
        ), text


def test_unknown_or_empty_class_names_the_choices():
    for text in ("3", "-1", "", "shoe", "1"):
        with pytest.raises(UserError, match=r"--normal_class=.*choose one of 0 \(T-shirt/top\), 2 \(Bag\)$"):
            pytest.fail(f"{text!r} is class {one_class.normal_classes(Options(normal_class=text), NAMES, np.array([0, 2]))}")


def test_unknown_anomalous_class_is_named_as_such():
    with pytest.raises(UserError, match=r"^--anomalous_class=shoe: .*choose one of 0 \(T-shirt/top\)"):
        one_class.normal_classes(Options(anomalous_class="shoe"), NAMES, np.arange(3))


def test_image_set_labels_names_and_size():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1) * np.ones((4, 6, 6), np.uint8)
    classes = np.array([2, 1, 0, 1])
    made = one_class.image_set(
        images, classes, np.array([1, 2, 3]), class_names=NAMES, normal=np.array([1]), prefix="x/test", size=(3, 2)
    )
    assert made.images.shape == (3, 3, 2, 1) and made.images.dtype == np.uint8
    assert made.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert made.labels.tolist() == [0, 1, 0]
    assert made.class_names.tolist() == ["Trouser", "T-shirt/top", "Trouser"]
    assert made.names.tolist() == ["x/test/00001", "x/test/00002", "x/test/00003"]


@pytest.fixture(scope="module")
def digits():
    return one_class.digit_splits(Options(dataset="digits", normal_class="3"))


def test_digits_are_trained_on_the_normal_class_only(digits):
    for split in (digits.train, digits.validation):
        assert set(split.class_names) == {"3"} and set(split.labels) == {0}


def test_all_digits_are_used_once(digits):
    names = [*digits.train.names, *digits.validation.names, *digits.test.names]
    assert sorted(names) == [f"digits/{i:05d}" for i in range(1797)]


def test_shares_of_the_digits(digits):
    normals = np.sum(load_digits().target == 3)
    assert np.sum(digits.test.labels == 0) == round(0.3 * normals)
    assert len(digits.validation) == round(0.1 * (normals - round(0.3 * normals)))


def test_labels_of_digits_are_about_the_class(digits):
    np.testing.assert_array_equal(digits.test.labels, digits.test.class_names != "3")
    assert set(digits.test.class_names) == set("0123456789")


def test_pixels_of_digits_are_the_source_scaled_to_eight_bits(digits):
    index = int(digits.test.names[5].split("/")[1])
    expected = load_digits().images[index] / 16 * 255
    np.testing.assert_allclose(digits.test.images[5, ..., 0], expected, atol=0.5)
    assert digits.test.images.dtype == np.uint8 and digits.test.images.max() == 255


def test_split_of_digits_depends_on_split_seed_alone(digits):
    again = one_class.digit_splits(Options(normal_class="3", seed=9))
    other = one_class.digit_splits(Options(normal_class="3", split_seed=1))
    assert again.validation.names.tolist() == digits.validation.names.tolist()
    assert other.validation.names.tolist() != digits.validation.names.tolist()
    assert other.test.names.tolist() != digits.test.names.tolist()


def test_size_and_class_of_digits():
    assert one_class.digit_splits(Options(image_size="12x10")).train.image_shape == (12, 10, 1)
    with pytest.raises(UserError, match="normal_class=ten"):
        one_class.digit_splits(Options(normal_class="ten"))


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


def test_splits_of_a_file(path):
    splits = one_class.mnist_splits(options(path, validation_fraction=0.5))
    assert len(splits.train) == 2 and len(splits.validation) == 2 and len(splits.test) == 20
    names = sorted([*splits.train.names, *splits.validation.names])
    assert names == [f"mnist/train/{i:05d}" for i in (5, 15, 25, 35)]
    assert [int(name[-5:]) for name in splits.train.names] == splits.train.images[:, 0, 0, 0].tolist()
    assert (splits.train.images[:, 1:] == 50).all()
    assert splits.test.names.tolist() == [f"mnist/test/{i:05d}" for i in range(20)]
    assert splits.test.labels.tolist() == ([1] * 5 + [0] + [1] * 4) * 2
    assert splits.test.class_names.tolist() == list("0123456789") * 2


def test_validation_of_a_file_is_the_same_in_every_run(path):
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


def test_damaged_files(path):
    good, single = path.read_bytes(), io.BytesIO()
    np.save(single, np.zeros(3))
    for case, content in {
        "empty": b"",
        "text": b"not a zip",
        "broken": b"PK\x03\x04 broken",
        "cut off": good[:-100],
        "damaged inside": good[:200] + b"\xff" * 60 + good[260:],
        "a single array": single.getvalue(),
    }.items():
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"some.npz: not a readable .npz"):
            pytest.fail(f"{case}: {one_class.mnist_splits(options(path))}")


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


def test_unfit_arrays(tmp_path):
    for name, value, message in (
        ("x_train", np.zeros((40, 28, 28), np.float32), "x_train must be (N, H, W) uint8"),
        ("x_test", np.zeros((20, 784), np.uint8), "x_test must be (N, H, W) uint8"),
        ("y_train", np.zeros(39, np.uint8), "y_train must be 40 class indices"),
        ("y_test", np.full(20, 10), "y_test must be 20 class indices"),
        ("y_test", np.zeros(20, np.float32), "y_test must be 20 class indices"),
        ("x_test", np.zeros((20, 28, 27), np.uint8), "differ in size"),
    ):
        np.savez(tmp_path / "unfit.npz", **{**arrays(), name: value})
        with pytest.raises(UserError, match="unfit.npz: .*" + re.escape(message)):
            one_class.mnist_splits(options(tmp_path / "unfit.npz"))


def test_class_without_images(tmp_path):
    made = arrays()
    made["y_train"][made["y_train"] == 5] = 4
    np.savez(tmp_path / "four.npz", **made)
    with pytest.raises(UserError, match=r"normal_class=5: .*choose one of 0, 1, 2, 3, 4, 6, 7, 8, 9"):
        one_class.mnist_splits(options(tmp_path / "four.npz"))
