import numpy as np
import pytest

from fanogan_tf import datasets
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


def test_digits(tmp_path):
    splits = datasets.load(Options(dataset="digits"), tmp_path)
    assert isinstance(splits, datasets.Splits)
    assert splits.train.names[0].startswith("digits/")


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_arrays(tmp_path, dataset):
    images, classes = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "a.npz", x_train=images, y_train=classes, x_test=images, y_test=classes)
    splits = datasets.load(Options(dataset=dataset, data_path=str(tmp_path / "a.npz")), tmp_path)
    assert splits.test.names[0] == f"{dataset}/test/00000"


def test_folder(tmp_path):
    with pytest.raises(UserError, match=r"--dataset=folder.*--data_path"):
        datasets.load(Options(dataset="folder"), tmp_path)


def test_patches_are_for_folders(tmp_path):
    with pytest.raises(UserError, match="--patches=3"):
        datasets.load(Options(dataset="digits", patches=3), tmp_path)


def test_at_most_so_many_images_drawn_by_the_split_seed(tmp_path):
    def load(**few):
        return datasets.load(Options(dataset="digits", normal_class="0", **few), tmp_path)

    everything, few = load(), load(test_images=100, validation_images=5)
    assert len(few.test) == 100 and len(few.validation) == 5 and len(few.train) == len(everything.train)
    place = {name: i for i, name in enumerate(everything.test.names)}
    places = [place[name] for name in few.test.names]
    assert places == sorted(places)
    np.testing.assert_array_equal(few.test.images, everything.test.images[places])
    np.testing.assert_array_equal(few.test.labels, everything.test.labels[places])
    assert load(test_images=100, seed=8).test.names.tolist() == few.test.names.tolist()
    assert load(test_images=100_000).test.names.tolist() == everything.test.names.tolist()


def test_volumes_are_scored_whole(tmp_path):
    with pytest.raises(UserError, match=r"^--test_images, --validation_images: volumes"):
        datasets.load(Options(dataset="oct_phantom", test_images=5), tmp_path)


def test_one_class_anomalous_and_nine_normal(tmp_path):
    splits = datasets.load(Options(dataset="digits", normal_class="0", anomalous_class="3"), tmp_path)
    assert set(splits.train.class_names) == set("012456789") and set(splits.train.labels) == {0}
    np.testing.assert_array_equal(splits.test.labels, splits.test.class_names == "3")
    assert set(splits.test.class_names) == set("0123456789")
    names = [*splits.train.names, *splits.validation.names, *splits.test.names]
    assert len(set(names)) == len(names) == 1797
