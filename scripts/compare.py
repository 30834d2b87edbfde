"""The same as `fanogan compare`."""

from fanogan_tf.cli import main

main("compare")
