import numpy as np
import pytest

from fanogan_tf.oct import geometry


def test_halved_columns_are_means_of_pairs():
    values = np.array([[1, 3, 10, 20, 7, 7]], np.uint8)
    halved = geometry.mean(values, 3)
    assert halved.dtype == np.float32
    np.testing.assert_array_equal(halved, [[2, 15, 7]])


def test_same_number_changes_nothing():
    np.testing.assert_array_equal(geometry.mean(np.arange(5.0), 5), np.arange(5))


def test_any_smaller_number_uses_every_column_once():
    counts = geometry.mean(np.eye(768, dtype=np.float32), 500) > 0
    np.testing.assert_array_equal(counts.sum(axis=1), 1)
    assert set(counts.sum(axis=0)) == {1, 2}


def test_unknown_values_count_for_nothing():
    halved = geometry.mean(np.array([np.nan, 3, np.nan, np.nan, 1, 5], np.float32), 3)
    np.testing.assert_array_equal(halved, [3, np.nan, 3])


def test_a_lesion_in_one_of_two_columns_stays():
    np.testing.assert_array_equal(geometry.most(np.array([[0, 2, 0, 0, 1, 3]], np.uint8), 3), [[2, 0, 3]])


@pytest.mark.parametrize(("width", "some"), [(512, 256), (7, 3), (5, 5)])
def test_spread_is_the_reverse(width, some):
    values = np.arange(2 * some, dtype=np.float32).reshape(2, some)
    wide = geometry.spread(values, width)
    assert wide.shape == (2, width)
    np.testing.assert_allclose(geometry.mean(wide, some), values)
