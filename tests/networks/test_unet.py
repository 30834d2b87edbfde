import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import tf_variables
from fanogan_tf.networks.unet import ResidualBlock, UNet

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, 32, 48, 1)).astype(np.float32)


def test_sizes():
    maps, deepest = UNet((32, 48, 1), 4, depth=3)(IMAGES)
    assert maps.shape == IMAGES.shape and deepest.shape == (3, 4, 6, 32)


def test_a_block_adds_what_came_in():
    """With both convolutions 0 and a shortcut of 1, a block is max(x, 0)."""
    block = ResidualBlock(1)
    block(IMAGES)
    for conv in block.convs:
        conv.kernel.assign(tf.zeros(conv.kernel.shape))
    block.shortcut.kernel.assign(tf.ones((1, 1, 1, 1)))
    np.testing.assert_allclose(block(IMAGES), np.maximum(IMAGES, 0.0), rtol=1e-6)


def test_detail_need_not_pass_the_bottom():
    """With a bottom that says nothing, one pixel still changes the map there: it came by the side."""
    network = UNet((32, 48, 1), 2, depth=2)
    network(IMAGES)
    for variable in tf_variables(network.bottom):
        variable.assign(tf.zeros(variable.shape))
    other = IMAGES.copy()
    other[:, 10, 20] += 1.0
    (maps, deepest), (changed, same) = network(IMAGES), network(other)
    np.testing.assert_array_equal(deepest, same)
    assert np.abs(maps - changed)[:, 8:13, 18:23].max() > 1e-3


def test_sides_that_cannot_be_halved():
    with pytest.raises(UserError, match=r"--image_size=24x20: .*multiples of 16"):
        UNet((24, 20, 1), 2)
