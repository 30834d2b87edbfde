"""The cheapest surface through a volume, by a minimum cut in 3-D, or by dynamic programming in each B-scan."""

import numpy as np

from fanogan_tf.errors import UserError


def surface_by_graph_cut(cost: np.ndarray, across: int, between: np.ndarray, bend: float = 0.0) -> np.ndarray:
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


def surface_by_shortest_path(cost: np.ndarray, across: int, between: np.ndarray | None = None, bend: float = 0.0) -> np.ndarray:
    """As `surface_graph_cut.cheapest_surface`, but each B-scan by itself: `between` is not looked at. Exact for one B-scan.

    Args:
      cost: (B, W, Z) float, finite.
      across: the most rows by which neighbouring columns may differ.
      bend: added cost for each row by which neighbouring columns differ.

    Returns:
      (B, W) int64, the line's place in each column, in [0, Z - 1].
    """
    scans, width, rows = cost.shape
    across = min(across, rows - 1)
    moves = np.arange(-across, across + 1)
    came_by = np.zeros((width, scans, rows), np.int16)
    least = np.array(cost[:, 0], np.float64)
    for column in range(1, width):
        padded = np.pad(least, ((0, 0), (across, across)), constant_values=np.inf)
        best = least.copy()
        for move in moves[np.argsort(np.abs(moves), kind="stable")][1:]:
            through = padded[:, across + move : across + move + rows] + bend * abs(move)
            better = through < best
            np.copyto(best, through, where=better)
            np.copyto(came_by[column], np.int16(move), where=better)
        least = best + cost[:, column]

    surface = np.zeros((scans, width), np.int64)
    surface[:, -1] = least.argmin(axis=1)
    for column in range(width - 1, 0, -1):
        here = surface[:, column]
        surface[:, column - 1] = here + came_by[column, np.arange(scans), here]
    return surface
