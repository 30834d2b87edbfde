import json

import pytest

from fanogan_tf.distributed import cluster
from fanogan_tf.errors import UserError


def config(index, workers=("a:1", "b:2", "c:3"), kind="worker"):
    return {"cluster": {"worker": list(workers)}, "task": {"type": kind, "index": index}}


@pytest.mark.parametrize("text", [None, "", " ", "{}", '{"cluster": {}, "task": {"type": "worker", "index": 0}}'])
def test_one_process_is_the_chief(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    assert (cluster.workers(), cluster.index(), cluster.is_chief()) == (1, 0, True)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_first_worker_is_the_chief(monkeypatch, index):
    monkeypatch.setenv("TF_CONFIG", json.dumps(config(index)))
    assert (cluster.workers(), cluster.index(), cluster.is_chief()) == (3, index, index == 0)


OTHERS = {"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}


@pytest.mark.parametrize(
    "text",
    ["worker", "[]", "3", json.dumps(config(3)), json.dumps(config("0")), json.dumps(config(0, kind="ps")), json.dumps(OTHERS)],
)
def test_anything_else_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError) as caught:
        cluster.is_chief()
    assert str(caught.value).startswith(f"TF_CONFIG={text}: must be of the form") and "\n" not in str(caught.value)
