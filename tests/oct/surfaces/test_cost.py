import numpy as np
import pytest

from fanogan_tf.oct.surfaces import cost


def test_shrink_gives_block_means_also_of_the_rest_at_the_border():
    data = np.arange(2 * 5 * 7, dtype=np.uint16).reshape(2, 5, 7)
    small = cost.shrink(data, 2, 3)
    assert small.shape == (2, 3, 3) and small.dtype == np.float32
    assert small[1, 0, 1] == pytest.approx(data[1, :2, 3:6].mean())
    assert small[1, 2, 2] == pytest.approx(data[1, 4:, 6:].mean())
    np.testing.assert_allclose(cost.centres(7, 3), [1, 4, 6])


def test_large_grey_values_do_not_overflow():
    assert cost.shrink(np.full((1, 4, 4), 65535, np.uint16), 4, 4).item() == 65535.0


def test_resample_is_linear_and_goes_straight_on():
    values = np.array([[1.0, 3.0, 3.0]])
    np.testing.assert_allclose(cost.resample(values, np.array([1.0, 3.0, 5.0]), np.array([0.0, 2.0, 6.0])), [[0, 2, 3]])
    np.testing.assert_allclose(cost.resample(values[:, :1], np.array([2.0]), np.arange(3)), [[1, 1, 1]])


def test_flatten_brings_the_surface_to_the_middle_between_pixels_too():
    image = np.tile(np.arange(20, dtype=np.float32)[None, :, None], (1, 1, 3))
    flat = cost.flatten(image, np.array([[5.0, 7.5, 19.0]]), 2)
    np.testing.assert_allclose(flat[0], [[3, 4, 5, 6, 7], [5.5, 6.5, 7.5, 8.5, 9.5], [17, 18, 19, 19, 19]])


@pytest.mark.parametrize("along", [1.0, 2.0])
def test_edges_give_the_height_of_a_step_where_it_is(along):
    columns = np.zeros((1, 8, 40), np.float32)
    columns[:, :, 20:] = 0.6
    edges = cost.edges(columns, along, 2.0)
    assert cost.refined(edges, edges.argmax(axis=2)) == pytest.approx(19.5, abs=0.01)
    assert edges.max() == pytest.approx(0.6, rel=0.15)
    np.testing.assert_allclose(cost.edges(-columns, along, 2.0), -edges)


def test_box_above_and_later_look_up_only():
    columns = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
    assert cost.box_above(columns, 2).tolist() == [[[0, 0, 0.5, 1.5, 2.5, 3.5]]]
    assert cost.later(columns, 2).tolist() == [[[0, 0, 0, 1, 2, 3]]]


@pytest.mark.parametrize("first, last", [(0, 2), (1, 3), (2, 5), (2, 4)])
def test_highest_below_is_the_highest_in_its_window(first, last):
    values = np.random.default_rng(0).normal(size=20)
    expected = [max([0.0, *values[i + first : i + last + 1]]) for i in range(20)]
    np.testing.assert_allclose(cost.highest_below(values.reshape(1, 1, 20), first, last).ravel(), expected)


def test_refined_finds_the_top_of_a_parabola_and_leaves_the_border_alone():
    strength = -((np.arange(10.0) - 4.3) ** 2).reshape(1, 1, 10)
    assert cost.refined(strength, np.array([[4]])).item() == pytest.approx(4.3)
    assert cost.refined(np.arange(10.0).reshape(1, 1, 10), np.array([[9]])).item() == 9


def test_bright_line_is_none_where_it_only_becomes_brighter():
    columns = np.full((1, 3, 41), 0.1, np.float32)
    columns[:, :, 21:] = 0.7
    columns[:, 0, 16:21] = 1.0  # A line above the brighter part.
    columns[:, 1, 3:8] = 1.0  # One far from the middle.
    line = cost.bright_line(cost.edges(columns, 1.0, 0), 5, 20, 8)
    assert line[0, 0] == pytest.approx(0.3, rel=0.2)
    assert line[0, 1:].max() < 0.05
