import numpy as np
import pytest
from matplotlib.colors import to_hex

from fanogan_tf.data import pixels
from fanogan_tf.evaluation.figures import latent_walk
from tests.helpers.fakes import FakeDetector, FakeTest


def test_interpolation_worked_by_hand():
    codes = latent_walk.interpolate(np.array([[0.0, 1.0]]), np.array([[1.0, -1.0]]), 5)
    np.testing.assert_allclose(codes[0], [[0, 1], [0.25, 0.5], [0.5, 0], [0.75, -0.5], [1, -1]])


def test_pairs_are_normal_and_different():
    labels = np.array([0, 1] * 30 + [-1] * 5)
    pairs = latent_walk.choose_pairs(labels, np.random.default_rng(0))
    assert pairs.shape == (8, 2)
    assert len(set(pairs.ravel().tolist())) == 16
    assert (labels[pairs] == 0).all()


@pytest.mark.parametrize(("labels", "count"), [([0, 0, 0, 1], 1), ([-1] * 6, 3), ([1], 0)])
def test_pairs_of_few_images(labels, count):
    pairs = latent_walk.choose_pairs(np.array(labels), np.random.default_rng(0))
    assert pairs.shape == (count, 2)


def test_grid_codes():
    codes = latent_walk.grid_codes()
    assert codes.shape == (400, 2)
    np.testing.assert_allclose(codes[[0, 19, 380, 399]], [[-1.5, 1.5], [1.5, 1.5], [-1.5, -1.5], [1.5, -1.5]])


def test_grid():
    test = FakeTest()
    detector = FakeDetector(test, latent_dim=2)
    plot = latent_walk.latent_walk(latent_walk.walk(test.labels, detector, test, seed=0), note="synthetic phantom").axes[0]
    assert [t.get_text() for t in plot.texts] == ["synthetic phantom"]
    assert "±1.5" in plot.get_xlabel() and "±1.5" in plot.get_ylabel()
    sheet = plot.images[0].get_array()
    np.testing.assert_array_equal(sheet, pixels.tile(detector.generate(latent_walk.grid_codes()), 20, gap=1))
    # Code (-1.5, 1.5) lies in the middle of the image in the upper left corner: 8 of 339 pixels from the edges.
    left, right, bottom, top = plot.images[0].get_extent()
    assert (-1.5 - left) / (right - left) == pytest.approx(8 / 339)
    assert (top - 1.5) / (top - bottom) == pytest.approx(8 / 339)


def test_lines():
    test = FakeTest()
    detector = FakeDetector(test, latent_dim=4)
    figure = latent_walk.latent_walk(latent_walk.walk(test.labels, detector, test, seed=5))
    assert len(figure.axes) == 8
    pairs = latent_walk.choose_pairs(test.labels, np.random.default_rng(5))
    for plot, pair in zip(figure.axes, pairs, strict=True):
        row = plot.images[0].get_array()
        images = test.float_images(pair)
        measured = detector.measure(images)["reconstruction"]
        np.testing.assert_array_equal(row[:, :16], images[0, ..., 0])
        np.testing.assert_array_equal(row[:, -16:], images[1, ..., 0])
        # The walk starts at the first image's reconstruction and ends at the second's.
        np.testing.assert_allclose(row[:, 17:33], measured[0, ..., 0], atol=1e-5)
        np.testing.assert_allclose(row[:, -33:-17], measured[1, ..., 0], atol=1e-5)
        assert [to_hex(patch.get_edgecolor()) for patch in plot.patches] == [latent_walk.REAL_COLOUR] * 2


def test_generates_some_at_a_time():
    test = FakeTest()
    detector = FakeDetector(test, latent_dim=2)
    sizes, generate = [], detector.generate
    detector.generate = lambda z: (sizes.append(len(z)), generate(z))[1]
    latent_walk.walk(test.labels, detector, test, seed=0)
    assert sum(sizes) == 400 and max(sizes) <= 64
