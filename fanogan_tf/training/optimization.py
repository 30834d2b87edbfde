"""One optimizer step."""

import keras
import tensorflow as tf


def descend(
    optimizer: keras.optimizers.Optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]
) -> tf.Tensor:
    """Moves `variables` against the gradient of `loss`; returns the gradient's norm, a scalar."""
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return tf.linalg.global_norm(gradients)
