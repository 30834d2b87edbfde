"""The moving average of networks' weights over the iterations, which is smoother than any one of them (Yazici et al. 2019)."""

from collections.abc import Iterable

import keras
import tensorflow as tf

from fanogan_tf.networks.spec import tf_variables


class Average:
    """Copies of all variables of some networks, moving statistics included, that follow them slowly.

    After t updates an update moves each copy by the share 1 - d towards its variable, d = min(decay, (1 + t) / (10 + t)): while
    the networks are young, the average forgets them sooner.

    Attributes:
      variables: the copies; part of a checkpoint.
    """

    def __init__(self, networks: Iterable[keras.Model], decay: float):
        """`decay`: in (0, 1); the average reaches back over about 1 / (1 - decay) updates."""
        self.decay = decay
        self._followed = [variable for network in networks for variable in tf_variables(network)]
        # Every replica makes the same updates, so that any of them may be read.
        self.variables = [
            tf.Variable(variable, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for variable in self._followed
        ]

    def update(self, updates: tf.Tensor) -> None:
        """Follows the networks; `updates`: how often that was done before, a scalar."""
        count = tf.cast(updates, tf.float32)
        share = 1.0 - tf.minimum(self.decay, (1.0 + count) / (10.0 + count))
        for copy, variable in zip(self.variables, self._followed, strict=True):
            copy.assign_add(tf.cast(share, copy.dtype) * (tf.cast(variable, copy.dtype) - copy))

    def put(self) -> None:
        """Gives the networks the averaged weights in place of their own."""
        for copy, variable in zip(self.variables, self._followed, strict=True):
            variable.assign(copy)
