"""The cheapest line through each B-scan, by dynamic programming."""

import numpy as np


def cheapest_surface(cost: np.ndarray, across: int, between: np.ndarray | None = None, bend: float = 0.0) -> np.ndarray:
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
