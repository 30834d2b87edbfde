"""The same as `fanogan reproduce`."""

from fanogan_tf.cli import main

main("reproduce")
