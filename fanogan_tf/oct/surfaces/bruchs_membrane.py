"""Bruch's membrane as a whole: smooth below detachments, which lift only what lies above it."""

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

_ROUNDS, _FINER_ROUNDS = 20, 6
# Bends much shorter than this, in micrometres, are smoothed away, between B-scans (where the eye moves) and along the B-scan.
_LENGTHS = (220.0, 425.0)


def smooth_bottom(rows: np.ndarray, numbers: np.ndarray, pitches: tuple[float, float], tolerance: float) -> np.ndarray:
    """A smooth surface through most of `rows`; parts that lie above it (smaller rows) count as lifted off and have no say.

    First a polynomial over the volume and a shift of every B-scan for the eye's motion, by iteratively reweighted least squares;
    then, from its weights on, a surface of little curvature, which follows an eye's own shape more closely.
    Most of the volume must not be lifted.

    Args:
      rows: (B, N) found rows, at even distances along the B-scan.
      numbers: (B,) numbers of the B-scans.
      pitches: micrometres between B-scans and between places along the B-scan.
      tolerance: rows by which a place may stray and still have a quarter of its say.

    Returns:
      (B, N) float64 rows.
    """
    rows = np.asarray(rows, np.float64)
    weight, shift = _by_polynomial(rows, numbers, tolerance)
    curvature = _curvature(rows.shape, pitches)
    for _ in range(_FINER_ROUNDS):
        matrix = (sparse.diags_array(weight.ravel() + 1e-9) + curvature).tocsc()
        fit = spsolve(matrix, (weight * (rows - shift)).ravel()).reshape(rows.shape) + shift
        weight = _say(rows - fit, tolerance)
    return fit


def _by_polynomial(rows: np.ndarray, numbers: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """What say each place has, (B, N), and the shift of each B-scan, (B, 1)."""
    terms = _terms(rows.shape[1], numbers)
    shift, weight = np.zeros((len(rows), 1)), np.ones_like(rows)
    for _ in range(_ROUNDS):
        root = np.sqrt(weight).reshape(-1, 1)
        factors = np.linalg.lstsq(terms * root, (rows - shift).reshape(-1, 1) * root, rcond=1e-8)[0]
        fit = (terms @ factors).reshape(rows.shape)
        shift = ((rows - fit) * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        # The eye's motion carries neighbours along; a B-scan that is off by itself was misread.
        usual = ndimage.median_filter(shift, (5, 1), mode="nearest")
        shift = np.clip(shift, usual - 2 * tolerance, usual + 2 * tolerance)
        weight = _say(rows - fit - shift, tolerance)
    return weight, shift


def _say(stray: np.ndarray, tolerance: float) -> np.ndarray:
    # Lifted parts are pushed out sooner than places that lie deeper.
    stray = np.where(stray < 0, 1.5 * stray, stray) / tolerance
    return 1.0 / (1.0 + stray**2) ** 2


def _terms(width: int, numbers: np.ndarray) -> np.ndarray:
    """(B * N, terms) products of powers: up to the fourth along the B-scan, to the third between them."""
    x, y = np.linspace(-1, 1, width), (numbers - numbers.mean()) / max(1.0, np.ptp(numbers) / 2)
    powers = [(i, j) for i in range(5) for j in range(4) if i + j <= 4]
    return np.stack([(x**i * y[:, None] ** j).ravel() for i, j in powers], axis=1)


def _curvature(shape: tuple[int, int], pitches: tuple[float, float]) -> sparse.sparray:
    """The matrix Q for which z' Q z is the cost of the curvature of z (B * N,), against straying by the same length."""

    def second(size: int, stiffness: float) -> sparse.sparray:
        if size < 3:
            return sparse.csr_array((size, size))
        steps = sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(size - 2, size))
        return stiffness * (steps.T @ steps)

    # The fourth power makes it a matter of lengths: the same course, sampled more finely, is bent as much.
    between, along = (second(n, (length / pitch) ** 4) for n, length, pitch in zip(shape, _LENGTHS, pitches, strict=True))
    return sparse.kron(sparse.eye_array(shape[0]), along) + sparse.kron(between, sparse.eye_array(shape[1]))
