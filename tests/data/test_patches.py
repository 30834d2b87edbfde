import numpy as np

from fanogan_tf.data import patches


def test_grid_of_a_multiple():
    assert patches.grid((4, 6), (2, 3)) == [(0, 0), (0, 3), (2, 0), (2, 3)]


def test_last_patch_ends_at_the_border():
    assert patches.grid((5, 7), (2, 3)) == [(t, left) for t in (0, 2, 3) for left in (0, 3, 4)]
    assert patches.grid((2, 3), (2, 3)) == [(0, 0)]


def test_grid_covers_every_pixel():
    covered = np.zeros((37, 23), bool)
    for top, left in patches.grid((37, 23), (8, 10)):
        assert top + 8 <= 37 and left + 10 <= 23
        covered[top : top + 8, left : left + 10] = True
    assert covered.all()


def test_random_patches_lie_inside_differ_and_repeat_with_the_seed():
    drawn = patches.random((20, 30), (8, 10), 50, [0, 1])
    assert len(set(drawn)) == 50
    assert all(0 <= top <= 12 and 0 <= left <= 20 for top, left in drawn)
    assert patches.random((20, 30), (8, 10), 50, [0, 1]) == drawn
    assert patches.random((20, 30), (8, 10), 50, [0, 2]) != drawn


def test_random_patches_reach_all_positions_and_no_more():
    assert sorted(patches.random((4, 5), (3, 3), 99, [0])) == [(t, left) for t in range(2) for left in range(3)]
