"""The two lines of Keras that the package runs on, told apart here alone.

The default line is Keras 3 on TensorFlow 2.21. The other one, the extra `addons`, is Keras 2.15 on TensorFlow 2.15, the last that
tensorflow-addons imports beside. The package is written for Keras 3; what Keras 2 has not, or has otherwise, is here by the name
that Keras 3 gives it.
"""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import tensorflow as tf
from keras import layers

KERAS_2 = keras.__version__.startswith("2.")

# For `Layer.add_weight`: also a layer that computes in 16 bits reads this weight in float32.
NOT_CAST = {"experimental_autocast" if KERAS_2 else "autocast": False}

if TYPE_CHECKING or not KERAS_2:
    from keras import Variable
    from keras.optimizers import Adam, LossScaleOptimizer
else:
    from tensorflow import Variable

    # Its export prints what it has written.
    keras.utils.disable_interactive_logging()
    # TensorFlow 2.15 cannot keep what XLA compiles for a CPU. The variable is read when the first device is made, after this.
    _flags = os.environ.get("TF_XLA_FLAGS", "").split()
    os.environ["TF_XLA_FLAGS"] = " ".join(flag for flag in _flags if "persistent_cache" not in flag)

    class Adam(keras.optimizers.Adam):
        """Keras 2's Adam with the hooks that Keras 3's has: `apply`, and an `update_step` that is told the step size."""

        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **settings, jit_compile=False)

        def apply_gradients(self, grads_and_vars, **settings):
            self.apply(*zip(*grads_and_vars, strict=True))

        def apply(self, grads, trainable_variables=None):
            super().apply_gradients(zip(grads, trainable_variables, strict=True))

        def _update_step(self, gradient, variable):
            self.update_step(gradient, variable, self.learning_rate)

        def _get_variable_index(self, variable):
            return self._index_dict[self._var_key(variable)]

    class LossScaleOptimizer:
        """Keras 3's dynamic loss scaling. Keras 2's leaves it to others to scale back, and counts updates that were left out."""

        dynamic_growth_steps = 2000

        def __init__(self, inner_optimizer: keras.optimizers.Optimizer, initial_scale: float = 2.0**15):
            self.inner_optimizer = inner_optimizer
            self.build = inner_optimizer.build
            self.dynamic_scale = tf.Variable(initial_scale, trainable=False, name="dynamic_scale")
            self.step_counter = tf.Variable(0, trainable=False, name="step_counter")

        @property
        def learning_rate(self) -> tf.Variable:
            """Of the optimizer inside."""
            return self.inner_optimizer.learning_rate

        @property
        def iterations(self) -> tf.Variable:
            """How many updates were made."""
            return self.inner_optimizer.iterations

        @property
        def variables(self) -> list[tf.Variable]:
            """The scale's own, then those of the optimizer inside."""
            return [self.step_counter, self.dynamic_scale, *variables(self.inner_optimizer)]

        def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
            """Multiplies by the scale."""
            return loss * self.dynamic_scale

        def apply_gradients(self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]]) -> None:
            """Updates by gradients of the scaled loss, where all are finite; else halves the scale."""
            gradients, moved = zip(*grads_and_vars, strict=True)
            gradients = [gradient / tf.cast(self.dynamic_scale, gradient.dtype) for gradient in gradients]

            def update() -> None:
                self.inner_optimizer.apply_gradients(zip(gradients, moved, strict=True))
                grown = self.step_counter + 1 >= self.dynamic_growth_steps
                self.dynamic_scale.assign(self.dynamic_scale * tf.where(grown, 2.0, 1.0))
                self.step_counter.assign(tf.where(grown, 0, self.step_counter + 1))

            def leave_out() -> None:
                self.dynamic_scale.assign(self.dynamic_scale / 2.0)
                self.step_counter.assign(0)

            tf.cond(tf.reduce_all([tf.reduce_all(tf.math.is_finite(one)) for one in gradients]), update, leave_out)


def variables(owner) -> list[Variable]:
    """Lists all variables of a network or an optimizer in the order of Keras 3, by which files name them.

    A layer's own come first, then those of each layer in it. Keras 2 lists all that are trained before all that are not, and all
    of an optimizer but its step size.
    """
    if KERAS_2 and isinstance(owner, keras.optimizers.Optimizer):
        iterations, *moments = owner.variables
        return [iterations, owner.learning_rate, *moments]
    if KERAS_2 and isinstance(owner, layers.Layer):
        inside = (variables(layer) for layer in owner._flatten_layers(recursive=False, include_self=False))
        found = itertools.chain(owner._trainable_weights, owner._non_trainable_weights, *inside)
        return list({id(variable): variable for variable in found}.values())
    return owner.variables


def tf_variable(variable: Variable) -> tf.Variable:
    """TensorFlow's own variable, which Keras 3 keeps inside its one."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def name_of(variable: Variable) -> str:
    """Its own name, such as `kernel`, which Keras 2 has after the names of all layers around it."""
    return variable.name.rpartition("/")[2].partition(":")[0]


def write_out(archive: keras.export.ExportArchive, folder: Path) -> None:
    """Writes an archive's SavedModel as `folder`, without saying so."""
    archive.write_out(str(folder), **({} if KERAS_2 else {"verbose": False}))
