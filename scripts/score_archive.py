"""The same as `fanogan score_archive`."""

from fanogan_tf.cli import main

main("score_archive")
