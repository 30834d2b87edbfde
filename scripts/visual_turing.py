"""The same as `fanogan visual_turing`."""

from fanogan_tf.cli import main

main("visual_turing")
