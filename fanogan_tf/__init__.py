"""GAN-based anomaly detection in images: train on normal images only, then score how anomalous a new one is, and where."""

import importlib
import os
from typing import TYPE_CHECKING

# TensorFlow reads this once, on import: errors are shown, start-up chatter is not.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# So does XLA. On a GPU it compiles a training step in a minute or two: what it compiled is kept for the next run, which starts in
# seconds; and of the convolutions that it tries out it does not compare the results.
_cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "fanogan_tf", "xla")
os.environ.setdefault("TF_XLA_FLAGS", f"--tf_xla_persistent_cache_directory={_cache}")
os.environ.setdefault("XLA_FLAGS", "--xla_gpu_autotune_level=2")

__version__ = "0.1.0"

if TYPE_CHECKING:  # What `__getattr__` finds, for editors and type checkers.
    from fanogan_tf.detection.detector import Detector
    from fanogan_tf.detection.scoring import Scores
    from fanogan_tf.errors import UserError
    from fanogan_tf.options import Options
    from fanogan_tf.pipeline import evaluate, export, load, score, train
    from fanogan_tf.run_directory import RunDirectory

_PUBLIC = {
    "Detector": "fanogan_tf.detection.detector",
    "Options": "fanogan_tf.options",
    "RunDirectory": "fanogan_tf.run_directory",
    "Scores": "fanogan_tf.detection.scoring",
    "UserError": "fanogan_tf.errors",
    "evaluate": "fanogan_tf.pipeline",
    "export": "fanogan_tf.pipeline",
    "load": "fanogan_tf.pipeline",
    "score": "fanogan_tf.pipeline",
    "train": "fanogan_tf.pipeline",
}
__all__ = [
    "Detector",
    "Options",
    "RunDirectory",
    "Scores",
    "UserError",
    "__version__",
    "evaluate",
    "export",
    "load",
    "score",
    "train",
]


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used: TensorFlow alone takes seconds."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
