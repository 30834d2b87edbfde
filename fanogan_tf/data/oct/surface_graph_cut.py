"""The cheapest surface through a volume, as a minimum cut."""

import numpy as np

from fanogan_tf.errors import UserError


def cheapest_surface(cost: np.ndarray, across: int, between: np.ndarray, bend: float = 0.0) -> np.ndarray:
    """The surface of least total cost whose neighbouring columns differ by no more than the limits; exact, in three dimensions.

    The surface search of Li et al. 2006 (IEEE TPAMI 28(1)), which Garvin et al. 2009 (IEEE TMI 28(9)) use for retinal layers: a
    node for each row of each column, weighted by how much dearer that row is than the one before. A set of nodes in which each
    needs the one before it, and the nodes `limit` rows before it in the neighbouring columns, is a surface; the lightest such set
    is found as a minimum cut.

    Args:
      cost: (B, W, Z) float, finite; Z is the direction in which the surface has one place per column.
      across: the most rows by which neighbouring columns of a B-scan may differ.
      between: (B - 1,) integers, the same between a B-scan and the next.
      bend: added cost for each row by which neighbouring columns differ.

    Returns:
      (B, W) int64, the surface's place in each column, in [0, Z - 1].

    Raises:
      UserError: PyMaxflow is not installed.
    """
    try:
        import maxflow
    except ImportError:
        raise UserError(
            "surfaces by graph cut need PyMaxflow: pip install 'fanogan_tf[oct]', or take --oct_surfaces=shortest_path"
        ) from None

    if cost.shape[2] < 2:
        return np.zeros(cost.shape[:2], int)
    # Row 0 is always in the set and needs no node: node z - 1 stands for "the surface is at row z or beyond".
    weights = np.diff(np.asarray(cost, np.float64), axis=2)
    nodes = np.arange(weights.size).reshape(weights.shape)
    pairs = 3 if bend == 0 else 4
    graph = maxflow.GraphFloat(nodes.size, (1 + pairs) * nodes.size)
    graph.add_grid_nodes(weights.shape)
    graph.add_grid_tedges(nodes, np.maximum(-weights, 0.0), np.maximum(weights, 0.0))
    never = 1.0 + np.abs(weights).sum()  # More than cutting everything else.

    _edges(graph, nodes[..., 1:], nodes[..., :-1], never, 0.0)
    _hold(graph, nodes[:, :-1], nodes[:, 1:], across, never, bend)
    for scan, limit in enumerate(between):
        _hold(graph, nodes[scan], nodes[scan + 1], int(limit), never, bend)
    graph.maxflow()
    return (~graph.get_grid_segments(nodes)).sum(axis=2)


def _hold(graph, one: np.ndarray, other: np.ndarray, limit: int, never: float, bend: float) -> None:
    """Holds neighbouring columns (..., Z - 1) of nodes within `limit` rows of each other."""
    if limit < one.shape[-1]:
        ahead, behind = np.s_[..., limit:], np.s_[..., : one.shape[-1] - limit]
        _edges(graph, one[ahead], other[behind], never, 0.0)
        _edges(graph, other[ahead], one[behind], never, 0.0)
    if bend:
        _edges(graph, one, other, bend, bend)


def _edges(graph, tails: np.ndarray, heads: np.ndarray, there: float, back: float) -> None:
    size = tails.size
    if size:
        graph.add_edges(tails.reshape(-1), heads.reshape(-1), np.full(size, there), np.full(size, back))
