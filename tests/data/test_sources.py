import numpy as np
import pytest

from fanogan_tf.data import sources
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


def test_digits(tmp_path):
    splits = sources.load(Options(dataset="digits"), tmp_path)
    assert isinstance(splits, sources.Splits)
    assert splits.train.names[0].startswith("digits/")


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_arrays(tmp_path, dataset):
    images, classes = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "a.npz", x_train=images, y_train=classes, x_test=images, y_test=classes)
    splits = sources.load(Options(dataset=dataset, data_path=str(tmp_path / "a.npz")), tmp_path)
    assert splits.test.names[0] == f"{dataset}/test/00000"


def test_folder(tmp_path):
    with pytest.raises(UserError, match=r"--dataset=folder.*--data_path"):
        sources.load(Options(dataset="folder"), tmp_path)


def test_patches_are_for_folders(tmp_path):
    with pytest.raises(UserError, match="--patches=3"):
        sources.load(Options(dataset="digits", patches=3), tmp_path)
