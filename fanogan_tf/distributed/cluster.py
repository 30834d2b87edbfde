"""The processes that train one run together, as the environment variable TF_CONFIG tells them. Without it, there is one.

TF_CONFIG is TensorFlow's: {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}, the same in each
but for the index. The first worker is the chief: it alone writes the run directory.
"""

import json
import os

from fanogan_tf.errors import UserError


def workers() -> int:
    """How many there are.

    Raises:
      UserError: TF_CONFIG is set and not as above.
    """
    return _workers_and_index()[0]


def index() -> int:
    """Which of them this process is, from 0. Raises what `workers` raises."""
    return _workers_and_index()[1]


def is_chief() -> bool:
    """Whether this process writes the run directory. Raises what `workers` raises."""
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
        raise UserError(f"TF_CONFIG={text}: must be of the form {form}, the index one of the workers'") from error
    return count, number
