"""One optimizer step; and the loss scaling without which the small gradients of float16 vanish."""

import keras
import tensorflow as tf

from fanogan_tf import keras_line
from fanogan_tf.distributed import replicas
from fanogan_tf.keras_line import LossScaleOptimizer, tf_variable


class Adam(keras_line.Adam):
    """Keras' Adam (Kingma and Ba 2015) by TensorFlow's own kernel: one operation for each variable instead of some forty.

    The same formula, variables and checkpoints; the numbers differ by rounding. Without decay, clipping, averages or AMSGrad.
    """

    def apply(self, grads, trainable_variables=None):
        """See Keras. What all variables share is made once for them."""
        step = tf.cast(tf_variable(self.iterations), tf.float32) + 1.0
        beta_1, beta_2, epsilon = (tf.constant(number) for number in (self.beta_1, self.beta_2, self.epsilon))
        powers = {"beta1_power": tf.pow(beta_1, step), "beta2_power": tf.pow(beta_2, step)}
        self._shared = {"beta1": beta_1, "beta2": beta_2, "epsilon": epsilon, **powers}
        super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        """See Keras: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, and a step of m / (sqrt(v) + epsilon), both without bias."""
        place = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=tf_variable(self._momentums[place]).handle,
            v=tf_variable(self._velocities[place]).handle,
            lr=tf.cast(learning_rate, tf.float32),
            grad=tf.cast(gradient, variable.dtype),
            **self._shared,
        )


def loss_scaled(optimizer: keras.optimizers.Optimizer, network: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer to train `network` with: where that computes in float16, `optimizer` with dynamic loss scaling around it.

    The same for float32 and bfloat16, which reach down to 1e-38; in float16 all below 6e-8 is 0.
    """
    # Keras would add up the gradients of all replicas; `descend` has taken their mean.
    optimizer._all_reduce_sum_gradients = list
    return LossScaleOptimizer(optimizer) if network.compute_dtype == "float16" else optimizer


def loss_scalers(model: keras.Model) -> dict[str, LossScaleOptimizer]:
    """Those of `model.optimizers` that scale the loss, by name."""
    return {name: o for name, o in model.optimizers.items() if isinstance(o, LossScaleOptimizer)}


def descend(
    optimizer: keras.optimizers.Optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]
) -> tf.Tensor:
    """Moves `variables` against the gradient of `loss`; returns the gradient's norm, a scalar.

    With loss scaling, a gradient that is not finite moves nothing and halves the scale; its norm is not finite either.
    """
    # Going back starts from the scale instead of 1: the gradient of the scaled loss, which itself is never computed.
    scale = tf.ones_like(loss)
    if isinstance(optimizer, LossScaleOptimizer):
        scale = optimizer.scale_loss(scale)
    gradients = replicas.mean(tape.gradient(loss, variables, output_gradients=scale))
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return tf.linalg.global_norm(gradients) / scale
