"""GAN-based anomaly detection in images: train on normal images only, then score how anomalous a new one is, and where."""

import os

# TensorFlow reads this once, on import: errors are shown, start-up chatter is not.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"
