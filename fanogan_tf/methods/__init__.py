"""One file per method: its training recipe and its Detector."""

from fanogan_tf.methods import fanogan

METHODS = {"fanogan": fanogan}
