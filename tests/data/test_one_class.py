import numpy as np
import pytest

from fanogan_tf.data.one_class import find_class, image_set
from fanogan_tf.errors import UserError

NAMES = ("T-shirt/top", "Trouser", "Bag")


@pytest.mark.parametrize(("text", "index"), [("0", 0), ("2", 2), ("trouser", 1), (" BAG ", 2), ("t-shirt/TOP", 0)])
def test_class_by_index_or_name(text, index):
    assert find_class(text, NAMES, np.arange(3)) == index


@pytest.mark.parametrize("text", ["3", "-1", "", "shoe", "1"])
def test_unknown_or_empty_class_names_the_choices(text):
    with pytest.raises(UserError, match=r"--normal_class=.*choose one of 0 \(T-shirt/top\), 2 \(Bag\)$"):
        find_class(text, NAMES, np.array([0, 2]))


def test_image_set_labels_names_and_size():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1) * np.ones((4, 6, 6), np.uint8)
    classes = np.array([2, 1, 0, 1])
    made = image_set(images, classes, np.array([1, 2, 3]), class_names=NAMES, normal=1, prefix="x/test", size=(3, 2))
    assert made.images.shape == (3, 3, 2, 1) and made.images.dtype == np.uint8
    assert made.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert made.labels.tolist() == [0, 1, 0]
    assert made.class_names.tolist() == ["Trouser", "T-shirt/top", "Trouser"]
    assert made.names.tolist() == ["x/test/00001", "x/test/00002", "x/test/00003"]
