import numpy as np
import pytest
from sklearn.datasets import load_digits

from fanogan_tf.data import one_class
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


@pytest.fixture(scope="module")
def splits():
    return one_class.digit_splits(Options(dataset="digits", normal_class="3"))


def test_trained_on_the_normal_class_only(splits):
    for split in (splits.train, splits.validation):
        assert set(split.class_names) == {"3"} and set(split.labels) == {0}


def test_all_images_are_used_once(splits):
    names = [*splits.train.names, *splits.validation.names, *splits.test.names]
    assert sorted(names) == [f"digits/{i:05d}" for i in range(1797)]


def test_shares(splits):
    normals = np.sum(load_digits().target == 3)
    assert np.sum(splits.test.labels == 0) == round(0.3 * normals)
    assert len(splits.validation) == round(0.1 * (normals - round(0.3 * normals)))


def test_test_labels_are_about_the_class(splits):
    np.testing.assert_array_equal(splits.test.labels, splits.test.class_names != "3")
    assert set(splits.test.class_names) == set("0123456789")


def test_pixels_are_the_source_scaled_to_eight_bits(splits):
    index = int(splits.test.names[5].split("/")[1])
    expected = load_digits().images[index] / 16 * 255
    np.testing.assert_allclose(splits.test.images[5, ..., 0], expected, atol=0.5)
    assert splits.test.images.dtype == np.uint8 and splits.test.images.max() == 255


def test_split_depends_on_split_seed_alone(splits):
    again = one_class.digit_splits(Options(normal_class="3", seed=9))
    other = one_class.digit_splits(Options(normal_class="3", split_seed=1))
    assert again.validation.names.tolist() == splits.validation.names.tolist()
    assert other.validation.names.tolist() != splits.validation.names.tolist()
    assert other.test.names.tolist() != splits.test.names.tolist()


def test_size_and_class():
    assert one_class.digit_splits(Options(image_size="12x10")).train.image_shape == (12, 10, 1)
    with pytest.raises(UserError, match="normal_class=ten"):
        one_class.digit_splits(Options(normal_class="ten"))
