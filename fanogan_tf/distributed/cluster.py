"""The processes that train one run together, as listed in the environment variable TF_CONFIG; without it, one process.

TF_CONFIG is TensorFlow's: {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}. It is the same for
all workers except for the index. The first worker is the chief, and only the chief writes the run directory.
"""

import json
import os

from fanogan_tf.errors import UserError


def workers() -> int:
    """Counts the processes.

    Raises:
      UserError: TF_CONFIG is set, but not in the form above.
    """
    return _workers_and_index()[0]


def index() -> int:
    """Returns the index of this process, from 0. Raises the errors of `workers`."""
    return _workers_and_index()[1]


def is_chief() -> bool:
    """Tells whether this process writes the run directory. Raises the errors of `workers`."""
    return index() == 0


def _workers_and_index() -> tuple[int, int]:
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return 1, 0
    form = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster, task = config.get("cluster", {}), config.get("task", {})
        if not cluster:
            return 1, 0
        count, number = len(cluster["worker"]), task["index"]
        if list(cluster) != ["worker"] or task["type"] != "worker" or number not in range(count):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"TF_CONFIG={text}: must be of the form {form}, with the index of a worker") from error
    return count, number
