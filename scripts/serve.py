"""The same as `fanogan serve`."""

from fanogan_tf.cli import main

main("serve")
