"""A one-class support vector machine (Schoelkopf et al. 2001) around normal images, by scikit-learn.

What can be told without a network, and without restoring anything. Its decision is computed again in TensorFlow.
"""

import numpy as np
import tensorflow as tf

from fanogan_tf.detection.detector import Detector
from fanogan_tf.methods.fitted import FittedMethod
from fanogan_tf.methods.pca import principal_components
from fanogan_tf.networks.spec import NetworkSpec

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
    from sklearn.svm import OneClassSVM  # Not to score with.

    svm = OneClassSVM(kernel="rbf", gamma=gamma, nu=OUTSIDE).fit(coordinates)
    return {name: values.astype(np.float64) for name, values in axes.items()} | {
        "support_vectors": svm.support_vectors_,
        "weights": svm.dual_coef_[0],
        "gamma": np.array(gamma),
        "intercept": svm.intercept_[0],
    }


class OcsvmDetector(Detector):
    """A = -decision: above 0 outside of where the training images lie. It says nothing of where in the image.

    Settings and arrays: what `one_class_svm` returns.
    """

    KIND = "ocsvm"
    NETWORKS = {}
    SETTINGS = ("gamma", "intercept")
    ARRAYS = ("mean", "components", "support_vectors", "weights")
    RESTORES = False

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """The score alone. In float64: it is the small difference of large sums."""
        coordinates = tf.cast(tf.reshape(images, (-1, self.mean.shape[0])), tf.float64)
        if self.components.shape[0]:
            coordinates = tf.matmul(coordinates - self.mean, self.components, transpose_b=True)
        kernel = tf.exp(-self.gamma * squared_distances(coordinates, self.support_vectors))
        return {"score": -tf.cast(tf.linalg.matvec(kernel, self.weights) + self.intercept, tf.float32)}


def squared_distances(rows: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """|x - y|^2 of each of (B, d) and each of (s, d): (B, s), without ever holding B * s * d differences."""
    squares = tf.reduce_sum(tf.square(rows), axis=1, keepdims=True) + tf.reduce_sum(tf.square(others), axis=1)
    return tf.nn.relu(squares - 2.0 * tf.matmul(rows, others, transpose_b=True))


class Ocsvm(FittedMethod):
    """The one-class support vector machine."""

    DETECTORS = (OcsvmDetector,)

    def fit(self, rows: np.ndarray, most_components: int, seed: int) -> dict[str, np.ndarray]:
        """See `FittedMethod.fit`."""
        return one_class_svm(rows, most_components, seed)

    def detector(self, arrays: dict[str, np.ndarray], spec: NetworkSpec) -> Detector:
        """See `FittedMethod.detector`."""
        print(f"OCSVM: {len(arrays['support_vectors'])} support vectors", flush=True)
        parts = {name: float(values) if name in OcsvmDetector.SETTINGS else values for name, values in arrays.items()}
        return OcsvmDetector(spec, calibration=None, **parts)
