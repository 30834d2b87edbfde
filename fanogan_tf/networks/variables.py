"""The variables of networks and optimizers as TensorFlow's own."""

import tensorflow as tf


def tf_variables(owner) -> list[tf.Variable]:
    """All variables of a Keras network or optimizer, in the order they were made.

    Checkpoints name them one by one: of a Keras 3 model, tf.train.Checkpoint does not see the layers that are kept in a list, and
    restores the rest without a word.
    """
    return [variable if isinstance(variable, tf.Variable) else variable.value for variable in owner.variables]


def value_of(variable: tf.Variable) -> int | float:
    """The value of a scalar variable; int() and float() cannot read one that is mirrored on several devices."""
    return tf.convert_to_tensor(variable).numpy().item()
