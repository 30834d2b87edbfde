"""The same as `fanogan train`."""

from fanogan_tf.cli import main

main("train")
