"""A one-class support vector machine (Schoelkopf et al. 2001) around normal images, by scikit-learn."""

import numpy as np
from sklearn.svm import OneClassSVM

from fanogan_tf.training.principal_components import principal_components

# nu, at most this share of the training images lie outside: the share of false alarms that the calibration aims at by default.
OUTSIDE = 0.05
# Images of more pixels are reduced to their principal components first: distances between them cost less and mean more.
MOST_PIXELS = 1024


def one_class_svm(rows: np.ndarray, most_components: int, seed: int) -> dict[str, np.ndarray]:
    """Fits it with the kernel exp(-gamma |x - y|^2), gamma = 1 / (coordinates * their variance), scikit-learn's "scale".

    Args:
      rows: (n, pixels), n >= 2.
      most_components, seed: see `principal_components`.

    Returns:
      float64 throughout, as the decision is the small difference of large sums:
      mean (pixels,) and components (k, pixels): coordinates are (x - mean) components'. Of small images, the pixels themselves
        are the coordinates, and k is 0.
      support_vectors (s, coordinates), weights (s,), gamma (), intercept (): the decision is
        sum_i weights_i exp(-gamma |coordinates - support_vectors_i|^2) + intercept, above 0 inside.
    """
    if rows.shape[1] > MOST_PIXELS:
        axes = principal_components(rows, most_components, seed)
        coordinates = (rows - axes["mean"]) @ axes["components"].T
    else:
        axes = {"mean": np.zeros(rows.shape[1]), "components": np.zeros((0, rows.shape[1]))}
        coordinates = rows
    coordinates = coordinates.astype(np.float64)
    variance = coordinates.var()
    gamma = 1.0 / (coordinates.shape[1] * variance) if variance > 0 else 1.0
    svm = OneClassSVM(kernel="rbf", gamma=gamma, nu=OUTSIDE).fit(coordinates)
    return {name: values.astype(np.float64) for name, values in axes.items()} | {
        "support_vectors": svm.support_vectors_,
        "weights": svm.dual_coef_[0],
        "gamma": np.array(gamma),
        "intercept": svm.intercept_[0],
    }
