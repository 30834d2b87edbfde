"""The same as `fanogan evaluate`."""

from fanogan_tf.cli import main

main("evaluate")
