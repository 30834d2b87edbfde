"""The same as `fanogan verify_export`."""

from fanogan_tf.cli import main

main("verify_export")
