import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data import pixels
from fanogan_tf.serving import graph_decoding


@pytest.mark.parametrize("old", [(16, 16), (37, 53), (8, 200), (64, 65), (5, 3)])
@pytest.mark.parametrize("new", [(16, 16), (24, 40)])
def test_as_pillow_does_it(old, new):
    image = np.random.default_rng(0).integers(0, 65536, old).astype(np.uint16)
    resized = graph_decoding.resize(tf.constant(image.astype(np.float32)), new).numpy()
    expected = pixels.resize(image, new).astype(np.float32)
    # Sums in another order: of half a level, one of the two may make more.
    assert np.abs(resized - expected).max() <= 1
    assert (resized != expected).mean() < 0.005


def test_its_own_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 65536, (16, 24)).astype(np.float32)
    np.testing.assert_array_equal(graph_decoding.resize(tf.constant(image), (16, 24)).numpy(), image)
