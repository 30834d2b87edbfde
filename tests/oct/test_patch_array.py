import numpy as np
import pytest

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.patches import PatchArray

AREAS = [
    np.arange(2 * 8 * 10, dtype=np.uint16).reshape(2, 8, 10),
    1000 + np.arange(3 * 8 * 10, dtype=np.uint16).reshape(3, 8, 10),
]
PLACES = np.array([(0, 1, 0, 0), (1, 2, 4, 6), (1, 0, 3, 2)])


@pytest.fixture
def patches():
    return PatchArray(AREAS, PLACES, (4, 3))


def test_it_looks_like_an_array(patches):
    assert patches.shape == (3, 4, 3, 1) and patches.ndim == 4 and patches.dtype == np.uint16 and len(patches) == 3


def test_patches_are_windows_of_the_areas(patches):
    np.testing.assert_array_equal(patches[np.array([1])][0, ..., 0], AREAS[1][2, 4:8, 6:9])
    np.testing.assert_array_equal(patches[:][2, ..., 0], AREAS[1][0, 3:7, 2:5])


def test_slices_and_indices_agree(patches):
    np.testing.assert_array_equal(patches[1:], patches[[1, 2]])
    np.testing.assert_array_equal(patches[np.array([2, 0, 2])], patches[:][[2, 0, 2]])
    assert patches[3:].shape == (0, 4, 3, 1)


def test_an_image_set_takes_it(patches):
    images = ImageSet(patches, np.zeros(3, int), np.array(["normal"] * 3), np.array(["a", "b", "c"]), masks=patches)
    batch = next(images.training_batches(5, seed=0).as_numpy_iterator())
    assert batch.shape == (5, 4, 3, 1) and batch.dtype == np.float32
    (scored,) = images.batches(8)
    np.testing.assert_allclose(scored["image"], patches[:] / 32767.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(images.take([2]).images, patches[[2]])
