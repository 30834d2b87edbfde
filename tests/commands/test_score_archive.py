"""What the command says where there is no Spark. Its work is tested in tests/archive."""

import subprocess
import sys

import pytest

from tests.helpers.commands import ROOT

pytestmark = pytest.mark.slow

WITHOUT = """
import sys
sys.modules["pyspark"] = None  # As if it were not installed.
from fanogan_tf.cli import main
main("score_archive")
"""


def test_without_spark(tmp_path):
    command = [sys.executable, "-c", WITHOUT, f"--model={tmp_path}", f"--images={tmp_path}", "--output=out"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert finished.returncode == 1
    assert finished.stderr == "error: fanogan score_archive needs pyspark: pip install 'fanogan_tf[archive]'\n"
