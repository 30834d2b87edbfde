import numpy as np
import pytest

from fanogan_tf.data import patches
from fanogan_tf.data.feed import Feed
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.patches import PatchArray

AREAS = [
    np.arange(2 * 8 * 10, dtype=np.uint16).reshape(2, 8, 10),
    1000 + np.arange(3 * 8 * 10, dtype=np.uint16).reshape(3, 8, 10),
]
PLACES = np.array([(0, 1, 0, 0), (1, 2, 4, 6), (1, 0, 3, 2)])


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


@pytest.fixture
def cut():
    return PatchArray(AREAS, PLACES, (4, 3))


def test_a_patch_array_looks_like_an_array(cut):
    assert cut.shape == (3, 4, 3, 1) and cut.ndim == 4 and cut.dtype == np.uint16 and len(cut) == 3


def test_patches_are_windows_of_the_areas(cut):
    np.testing.assert_array_equal(cut[np.array([1])][0, ..., 0], AREAS[1][2, 4:8, 6:9])
    np.testing.assert_array_equal(cut[:][2, ..., 0], AREAS[1][0, 3:7, 2:5])


def test_slices_and_indices_agree(cut):
    np.testing.assert_array_equal(cut[1:], cut[[1, 2]])
    np.testing.assert_array_equal(cut[np.array([2, 0, 2])], cut[:][[2, 0, 2]])
    assert cut[3:].shape == (0, 4, 3, 1)


def test_an_image_set_takes_it(cut):
    images = ImageSet(cut, np.zeros(3, int), np.array(["normal"] * 3), np.array(["a", "b", "c"]), masks=cut)
    batch = next(Feed(images, 5, seed=0)().as_numpy_iterator())
    assert batch.shape == (5, 4, 3, 1) and batch.dtype == np.float32
    (scored,) = images.batches(8)
    np.testing.assert_allclose(scored["image"], cut[:] / 32767.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(images.take([2]).images, cut[[2]])
