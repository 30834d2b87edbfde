"""What a network does together with its copies on other devices, in a distributed training step. On one device, nothing.

A replica is such a copy. All have the same weights, and equal shares of each batch.
"""

from collections.abc import Callable

import tensorflow as tf


def count() -> int:
    """How many replicas compute this step together; 1 without distribution, and outside of a step."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def mean(values):
    """The mean over all replicas of a tensor or a structure of tensors. Gradients flow back to all replicas."""
    return values if count() == 1 else tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def drawn(draw: Callable[..., tf.Tensor], shape: tuple | list, *arguments, **settings) -> tf.Tensor:
    """draw(shape, *arguments, **settings), where `draw` is a tf.random.stateless_* and `shape` begins with the images here.

    Drawn for the whole batch, of which this replica takes its own rows: the same numbers on any number of devices.
    """
    if count() == 1:
        return draw(shape, *arguments, **settings)
    rows, *rest = shape
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * rows
    return draw([count() * rows, *rest], *arguments, **settings)[first : first + rows]


def repeated(times: int, update: Callable[[tf.Tensor], dict[str, tf.Tensor]], names: tuple[str, ...]) -> dict[str, tf.Tensor]:
    """Calls update(0), update(1), ... in a row; returns what the last one does, scalars by `names`.

    A loop in the graph: unrolled, the update would be traced and optimised `times` times.
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


def cond(predicate: tf.Tensor, then: Callable[[], tf.Tensor], otherwise: Callable[[], tf.Tensor]) -> tf.Tensor:
    """tf.cond, of scalars; `predicate` must be the same in all replicas."""
    if count() == 1:
        return tf.cond(predicate, then, otherwise)

    def of_all(strategy: tf.distribute.Strategy, predicates, thens, otherwises) -> tf.Tensor:
        first = strategy.experimental_local_results(predicates)[0]
        return tf.cond(first, lambda: _in_each(strategy, thens), lambda: _in_each(strategy, otherwises))

    return _as_one(of_all, predicate, then, otherwise)


def _as_one(function: Callable, *arguments):
    """function(strategy, *what all replicas have in place of arguments), called once for all of them.

    Inside of a loop or branch of their own replicas cannot meet, so they part inside of a common one: `_in_each`.
    """
    return tf.distribute.get_replica_context().merge_call(function, args=arguments)


def _in_each(strategy: tf.distribute.Strategy, functions, *arguments):
    """Calls each replica's own one of `functions`; returns the means of their scalars over the replicas of this process."""
    values = strategy.extended.call_for_each_replica(lambda function: function(*arguments), args=(functions,))
    return tf.nest.map_structure(lambda value: tf.reduce_mean(strategy.experimental_local_results(value)), values)
