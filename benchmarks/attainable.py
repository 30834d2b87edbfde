"""The floating-point operations per second that this machine attains."""

import statistics
from collections.abc import Callable

import harness
import tensorflow as tf


def gflop_per_second(precision: tf.DType) -> dict[str, float]:
    """Measures the GFLOP/s of a large matrix product and of a large 3x3 convolution: medians of ten."""
    matrix = tf.ones((2048, 2048), precision)
    images, kernel = tf.ones((16, 32, 32, 128), precision), tf.ones((3, 3, 128, 128), precision)
    work: dict[str, tuple[float, Callable]] = {
        "matrix_product_2048": (2 * 2048.0**3, lambda: tf.linalg.matmul(matrix, matrix)),
        "convolution_16x32x32x128": (2 * 16 * 32**2 * 9 * 128.0**2, lambda: tf.nn.conv2d(images, kernel, 1, "SAME")),
    }
    seconds = harness.interleaved({name: (lambda run=run: run().numpy()) for name, (_, run) in work.items()}, rounds=10)
    return {name: round(work[name][0] / statistics.median(times) / 1e9, 1) for name, times in seconds.items()}
