"""Imported by the process that `commands.run` forks from: what takes seconds to import."""

from fanogan_tf.errors import starting

with starting():
    import sklearn.metrics  # noqa: F401

    from fanogan_tf import pipeline  # noqa: F401
