"""The operations that replicas of a network share in a distributed training step. On one device, they do nothing special.

A replica is a copy of the networks on one device. All replicas have the same weights and equal shares of every batch.
"""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

_Scalars = TypeVar("_Scalars", tf.Tensor, dict[str, tf.Tensor])


def count() -> int:
    """Counts the replicas that compute this step together; 1 without distribution and outside a step."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def mean(values):
    """Averages a tensor, or a structure of tensors, over all replicas. Gradients flow back to all of them."""
    return values if count() == 1 else tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def drawn(draw: Callable[..., tf.Tensor], shape: tuple | list, *arguments, **settings) -> tf.Tensor:
    """Calls draw(shape, *arguments, **settings) and returns this replica's rows.

    Numbers are drawn for the whole batch, so they are the same on any number of devices.

    Args:
      draw: a tf.random.stateless_* function.
      shape: of the result; it begins with the number of images on this replica.
      arguments, settings: further arguments of `draw`.
    """
    if count() == 1:
        return draw(shape, *arguments, **settings)
    rows, *rest = shape
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * rows
    return draw([count() * rows, *rest], *arguments, **settings)[first : first + rows]


def repeated(times: int, update: Callable[[tf.Tensor], dict[str, tf.Tensor]], names: tuple[str, ...]) -> dict[str, tf.Tensor]:
    """Calls update(0), ..., update(times - 1) in turn; returns the last one's scalars, whose names are `names`.

    The loop is part of the graph. Unrolled, the update would be traced and optimised `times` times.
    """
    nothing = dict.fromkeys(names, 0.0)

    def loop(once: Callable[[tf.Tensor], dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        _, values = tf.while_loop(
            lambda turn, _: turn < times, lambda turn, _: (turn + 1, once(turn)), (0, nothing), parallel_iterations=1
        )
        return dict(values)

    if count() == 1:
        return loop(update)
    return _as_one(lambda strategy, updates: loop(lambda turn: _in_each(strategy, updates, turn)), update)


def cond(predicate: tf.Tensor, then: Callable[[], _Scalars], otherwise: Callable[[], _Scalars]) -> _Scalars:
    """Branches as tf.cond does, to scalars; `predicate` must be the same in all replicas."""
    if count() == 1:
        return tf.cond(predicate, then, otherwise)

    def of_all(strategy: tf.distribute.Strategy, predicates, thens, otherwises) -> _Scalars:
        first = strategy.experimental_local_results(predicates)[0]
        return tf.cond(first, lambda: _in_each(strategy, thens), lambda: _in_each(strategy, otherwises))

    return _as_one(of_all, predicate, then, otherwise)


def _as_one(function: Callable, *arguments):
    """Calls function(strategy, *arguments of all replicas) once for all replicas.

    Replicas cannot synchronise inside per-replica control flow. So loops and branches run here, in the cross-replica context, and
    `_in_each` enters the replicas from there.
    """
    return tf.distribute.get_replica_context().merge_call(function, args=arguments)


def _in_each(strategy: tf.distribute.Strategy, functions, *arguments):
    """Calls each replica's function; returns the means of their scalars over the replicas of this process."""
    values = strategy.extended.call_for_each_replica(lambda function: function(*arguments), args=(functions,))
    return tf.nest.map_structure(lambda value: tf.reduce_mean(strategy.experimental_local_results(value)), values)
