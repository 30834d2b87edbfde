"""The same as `fanogan export`."""

from fanogan_tf.cli import main

main("export")
