"""Principal components of normal images: as many as most of their variance takes. No label has a say in it."""

import numpy as np
from sklearn.decomposition import PCA

VARIANCE_KEPT = 0.95


def principal_components(rows: np.ndarray, most: int, seed: int) -> dict[str, np.ndarray]:
    """The first components that together hold 95 % of the variance, or `most` of them where those hold less.

    Args:
      rows: (n, pixels), n >= 2.
      most: >= 1.
      seed: of the randomised solver that scikit-learn takes for large matrices.

    Returns:
      mean (pixels,) and components (k, pixels), orthonormal rows, largest variance first; of the type of `rows`.
    """
    pca = PCA(min(most, *rows.shape), random_state=seed).fit(rows)
    held = np.cumsum(pca.explained_variance_ratio_)
    count = 1 + np.searchsorted(held[:-1], VARIANCE_KEPT)
    return {"mean": pca.mean_, "components": pca.components_[:count]}
