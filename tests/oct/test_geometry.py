import itertools

import numpy as np

from fanogan_tf.oct.geometry import flatten, flatten_codes, mean, most, spread, unflatten


def numbered(rows, width):
    """A scan whose values are its row numbers."""
    return np.repeat(np.arange(rows, dtype=np.float32)[:, None], width, axis=1)


def test_thin_retinas_are_copied_with_the_bottom_in_the_last_row():
    scan = np.random.default_rng(0).random((30, 3)).astype(np.float32)
    bottom = np.array([20, 25, 29])
    area = flatten(scan, bottom - 4, bottom, 8)
    for column in range(3):
        np.testing.assert_array_equal(area[:, column], scan[bottom[column] - 7 : bottom[column] + 1, column])


def test_thicker_retinas_are_shrunk_to_the_height():
    # 15 rows, from 4 to 18, into 8: every second one.
    area = flatten(numbered(30, 1), np.array([4]), np.array([18]), 8)
    np.testing.assert_allclose(area[:, 0], [4, 6, 8, 10, 12, 14, 16, 18])


def test_a_retina_exactly_as_thick_as_the_area_is_left_alone():
    area = flatten(numbered(30, 1), np.array([10]), np.array([17]), 8)
    np.testing.assert_array_equal(area[:, 0], np.arange(10, 18))


def test_above_the_scan_goes_on_as_in_a_mirror():
    area = flatten(numbered(30, 1), np.array([1]), np.array([3]), 8)
    np.testing.assert_array_equal(area[:, 0], [4, 3, 2, 1, 0, 1, 2, 3])


def test_codes_are_never_mixed_and_never_mirrored():
    codes = np.zeros((30, 2), np.uint8)
    codes[2, 0], codes[5:8, 1] = 3, 2
    flat = flatten_codes(codes, np.array([1, 3]), np.array([3, 17]), 8)
    assert flat.dtype == np.uint8
    np.testing.assert_array_equal(flat[:, 0], [0, 0, 0, 0, 0, 0, 3, 0])
    np.testing.assert_array_equal(flat[:, 1], [0, 2, 2, 0, 0, 0, 0, 0])  # Rows 3, 5, 7, 9 ... of the scan.


def test_the_way_back():
    """Smooth maps come back as they were inside the area, and 0 outside."""
    rows, bottom, height = 40, np.array([30, 28]), 16
    scan = np.sin(numbered(rows, 2) / 6).astype(np.float32) + 2
    for top, column in itertools.product((10, 0), range(2)):
        back = unflatten(flatten(scan, np.full(2, top), bottom, height), np.full(2, top), bottom, rows)
        assert back.shape == scan.shape and back.dtype == np.float32
        first, last = min(top, bottom[column] - height + 1), bottom[column]
        case = f"{top=} {column=}"
        np.testing.assert_allclose(back[first : last + 1, column], scan[first : last + 1, column], atol=0.02, err_msg=case)
        assert not back[last + 1 :, column].any() and not back[:first, column].any(), case


def test_the_way_back_is_exact_where_nothing_was_shrunk():
    scan = np.random.default_rng(0).random((30, 3)).astype(np.float32)
    bottom = np.array([20, 25, 29])
    back = unflatten(flatten(scan, bottom - 5, bottom, 8), bottom - 5, bottom, 30)
    for column in range(3):
        inside = slice(bottom[column] - 7, bottom[column] + 1)
        np.testing.assert_array_equal(back[inside, column], scan[inside, column])
        assert np.count_nonzero(back[:, column]) == 8


def test_halved_columns_are_means_of_pairs():
    values = np.array([[1, 3, 10, 20, 7, 7]], np.uint8)
    halved = mean(values, 3)
    assert halved.dtype == np.float32
    np.testing.assert_array_equal(halved, [[2, 15, 7]])


def test_the_same_number_of_columns_changes_nothing():
    np.testing.assert_array_equal(mean(np.arange(5.0), 5), np.arange(5))


def test_any_smaller_number_of_columns_uses_every_column_once():
    counts = mean(np.eye(768, dtype=np.float32), 500) > 0
    np.testing.assert_array_equal(counts.sum(axis=1), 1)
    assert set(counts.sum(axis=0)) == {1, 2}


def test_unknown_values_count_for_nothing():
    halved = mean(np.array([np.nan, 3, np.nan, np.nan, 1, 5], np.float32), 3)
    np.testing.assert_array_equal(halved, [3, np.nan, 3])


def test_a_lesion_in_one_of_two_columns_stays():
    np.testing.assert_array_equal(most(np.array([[0, 2, 0, 0, 1, 3]], np.uint8), 3), [[2, 0, 3]])


def test_spread_is_the_reverse():
    for width, some in ((512, 256), (7, 3), (5, 5)):
        values = np.arange(2 * some, dtype=np.float32).reshape(2, some)
        wide = spread(values, width)
        assert wide.shape == (2, width)
        np.testing.assert_allclose(mean(wide, some), values, err_msg=f"{some} of {width}")
