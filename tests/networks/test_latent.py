import numpy as np
import pytest

from fanogan_tf.networks import latent


def test_uniform():
    z = latent.draw("uniform", (2000, 3), (1, 2)).numpy()
    assert z.shape == (2000, 3) and z.dtype == np.float32 and np.abs(z).max() <= 1.0
    np.testing.assert_allclose(np.histogram(z, 4, (-1, 1))[0] / z.size, 0.25, atol=0.03)


def test_normal():
    z = latent.draw("normal", (2000, 3), (1, 2)).numpy()
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=0.05)
    assert np.abs(z).max() > 2.0


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_a_function_of_its_seed(prior):
    first, again, other = (latent.draw(prior, (5, 3), seed).numpy() for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(other, first).any()
