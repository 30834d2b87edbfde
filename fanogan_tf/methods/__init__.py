"""One file per method: its training recipe and its Detector."""
