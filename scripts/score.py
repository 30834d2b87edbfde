"""The same as `fanogan score`."""

from fanogan_tf.cli import main

main("score")
