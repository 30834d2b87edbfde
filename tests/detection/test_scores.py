import numpy as np
import tensorflow as tf

from fanogan_tf.detection.scoring import anomaly_score, pixel_map


def test_anomaly_score_by_hand():
    score = anomaly_score(tf.constant([1.0, 2.0]), tf.constant([3.0, 0.5]), 0.5)
    np.testing.assert_allclose(score, [2.5, 2.25])


def test_pixel_map_by_hand():
    images, restored = tf.constant([[[[-1.0], [0.5]]]]), tf.constant([[[[1.0], [0.25]]]])
    np.testing.assert_allclose(pixel_map(images, restored), [[[[2.0], [0.25]]]])
