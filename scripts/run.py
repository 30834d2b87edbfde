"""The same as `fanogan run`."""

from fanogan_tf.cli import main

main("run")
