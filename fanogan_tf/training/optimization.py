"""One optimizer step; and the loss scaling without which the small gradients of float16 vanish."""

import keras
import tensorflow as tf

from fanogan_tf.distributed import replicas


def loss_scaled(optimizer: keras.optimizers.Optimizer, network: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer to train `network` with: where that computes in float16, `optimizer` with dynamic loss scaling around it.

    The same for float32 and bfloat16, which reach down to 1e-38; in float16 all below 6e-8 is 0.
    """
    # Keras would add up the gradients of all replicas; `descend` has taken their mean.
    optimizer._all_reduce_sum_gradients = list
    return keras.optimizers.LossScaleOptimizer(optimizer) if network.compute_dtype == "float16" else optimizer


def loss_scalers(model: keras.Model) -> dict[str, keras.optimizers.LossScaleOptimizer]:
    """Those of `model.optimizers` that scale the loss, by name."""
    return {name: o for name, o in model.optimizers.items() if isinstance(o, keras.optimizers.LossScaleOptimizer)}


def descend(
    optimizer: keras.optimizers.Optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]
) -> tf.Tensor:
    """Moves `variables` against the gradient of `loss`; returns the gradient's norm, a scalar.

    With loss scaling, a gradient that is not finite moves nothing and halves the scale; its norm is not finite either.
    """
    # Going back starts from the scale instead of 1: the gradient of the scaled loss, which itself is never computed.
    scale = optimizer.scale_loss(tf.ones_like(loss))
    gradients = replicas.mean(tape.gradient(loss, variables, output_gradients=scale))
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return tf.linalg.global_norm(gradients) / scale
