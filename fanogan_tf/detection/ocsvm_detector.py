"""The decision of a one-class support vector machine, computed again in TensorFlow."""

import tensorflow as tf

from fanogan_tf.detection.detector import Detector


class OcsvmDetector(Detector):
    """A = -decision: above 0 outside of where the training images lie. It says nothing of where in the image.

    Settings and arrays: what `one_class_svm` returns.
    """

    KIND = "ocsvm"
    NETWORKS = ()
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
