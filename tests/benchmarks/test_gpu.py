"""It runs where there is no GPU, and says what it could not measure."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_at_toy_sizes():
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--quick"]
    found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    form = "8x8_dim2_batch2 {}".format
    measured = {form(name) for name in ("compiled", "idiomatic_keras", "fit", "scoring")}
    measured |= {"attainable float32"}
    if importlib.util.find_spec("torch") is None:
        assert found["not_measured"] == {form("torch_eager"): "ModuleNotFoundError: No module named 'torch'"}
    assert measured <= found["measured"].keys()
    assert found["measured"][form("compiled")]["milliseconds"] > 0
