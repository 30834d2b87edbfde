import numpy as np
import pytest

from fanogan_tf.data.one_class import image_set, normal_classes
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

NAMES = ("T-shirt/top", "Trouser", "Bag")


@pytest.mark.parametrize(("text", "index"), [("0", 0), ("2", 2), ("trouser", 1), (" BAG ", 2), ("t-shirt/TOP", 0)])
def test_class_by_index_or_name(text, index):
    assert normal_classes(Options(normal_class=text), NAMES, np.arange(3)).tolist() == [index]
    others = [i for i in range(3) if i != index]
    assert normal_classes(Options(anomalous_class=text, normal_class="7"), NAMES, np.arange(3)).tolist() == others


@pytest.mark.parametrize("text", ["3", "-1", "", "shoe", "1"])
def test_unknown_or_empty_class_names_the_choices(text):
    with pytest.raises(UserError, match=r"--normal_class=.*choose one of 0 \(T-shirt/top\), 2 \(Bag\)$"):
        normal_classes(Options(normal_class=text), NAMES, np.array([0, 2]))


def test_unknown_anomalous_class_is_named_as_such():
    with pytest.raises(UserError, match=r"^--anomalous_class=shoe: .*choose one of 0 \(T-shirt/top\)"):
        normal_classes(Options(anomalous_class="shoe"), NAMES, np.arange(3))


def test_image_set_labels_names_and_size():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1) * np.ones((4, 6, 6), np.uint8)
    classes = np.array([2, 1, 0, 1])
    made = image_set(images, classes, np.array([1, 2, 3]), class_names=NAMES, normal=np.array([1]), prefix="x/test", size=(3, 2))
    assert made.images.shape == (3, 3, 2, 1) and made.images.dtype == np.uint8
    assert made.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert made.labels.tolist() == [0, 1, 0]
    assert made.class_names.tolist() == ["Trouser", "T-shirt/top", "Trouser"]
    assert made.names.tolist() == ["x/test/00001", "x/test/00002", "x/test/00003"]
