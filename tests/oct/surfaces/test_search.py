"""Both searches: the cheapest surface under its constraints, compared with all surfaces there are."""

import itertools
import sys

import numpy as np
import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.oct.surfaces import search as surface_graph_cut
from fanogan_tf.oct.surfaces import search as surface_shortest_path

SEARCHES = [surface_graph_cut.surface_by_graph_cut, surface_shortest_path.surface_by_shortest_path]


def total(cost, surface, bend):
    steps = np.abs(np.diff(surface, axis=1)).sum() + np.abs(np.diff(surface, axis=0)).sum()
    return np.take_along_axis(cost, surface[..., None], axis=2).sum() + bend * steps


def best_of_all(cost, across, between, bend):
    scans, width, rows = cost.shape
    allowed = []
    for places in itertools.product(range(rows), repeat=scans * width):
        surface = np.array(places).reshape(scans, width)
        if (np.abs(np.diff(surface, axis=1)) <= across).all() and (np.abs(np.diff(surface, axis=0)) <= between).all():
            allowed.append(surface)
    return min(allowed, key=lambda surface: total(cost, surface, bend))


@pytest.mark.parametrize("across, between, bend", [(0, 0, 0.0), (1, 0, 0.0), (1, 2, 0.0), (2, 1, 0.3), (3, 3, 0.3)])
def test_graph_cut_is_the_optimum_under_its_constraints(across, between, bend):
    for seed in range(5):
        cost = np.random.default_rng(seed).normal(size=(2, 3, 4))
        found = surface_graph_cut.surface_by_graph_cut(cost, across, np.array([between]), bend)
        np.testing.assert_array_equal(found, best_of_all(cost, across, between, bend))


def test_graph_cut_keeps_each_pair_of_b_scans_to_its_own_limit():
    cost = np.ones((3, 1, 9))
    cost[[0, 1, 2], 0, [0, 4, 8]] = -5.0
    assert surface_graph_cut.surface_by_graph_cut(cost, 1, np.array([4, 4])).ravel().tolist() == [0, 4, 8]
    held = surface_graph_cut.surface_by_graph_cut(cost, 1, np.array([4, 1])).ravel()
    assert held[:2].tolist() == [0, 4] and abs(held[2] - 4) <= 1


@pytest.mark.parametrize("across, bend", [(0, 0.0), (1, 0.0), (2, 0.3)])
def test_shortest_path_is_the_optimum_of_each_b_scan(across, bend):
    cost = np.random.default_rng(1).normal(size=(4, 5, 4))
    found = surface_shortest_path.surface_by_shortest_path(cost, across, None, bend)
    for scan in range(4):
        np.testing.assert_array_equal(found[scan], best_of_all(cost[scan : scan + 1], across, 0, bend)[0])


@pytest.mark.parametrize("search", SEARCHES)
def test_limit_is_kept_where_the_cost_jumps(search):
    cost = np.ones((2, 20, 30))
    cost[:, :10, 5] = cost[:, 10:, 25] = 0.0
    steps = np.abs(np.diff(search(cost, 3, np.array([5])), axis=1))
    assert steps.max() == 3


@pytest.mark.parametrize("search", SEARCHES)
def test_one_column_one_b_scan_one_row(search):
    cost = np.array([3.0, 1.0, 2.0])
    assert search(cost.reshape(1, 1, 3), 2, np.array([], int)).tolist() == [[1]]
    assert search(np.zeros((1, 4, 1)), 2, np.array([], int)).tolist() == [[0, 0, 0, 0]]


def test_without_pymaxflow_the_mend_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "maxflow", None)
    with pytest.raises(UserError, match=r"pip install 'fanogan_tf\[oct\]', or take --oct_surfaces=shortest_path"):
        surface_graph_cut.surface_by_graph_cut(np.zeros((1, 2, 3)), 1, np.array([], int))
