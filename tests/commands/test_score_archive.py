import shutil
import subprocess
import sys

import pytest

from fanogan_tf.options import Options
from tests.helpers.archived import exported, write_images
from tests.helpers.commands import ROOT, succeed

pytestmark = pytest.mark.slow

WITHOUT = """
import sys
sys.modules["pyspark"] = None  # As if it were not installed.
from fanogan_tf.cli import main
main("score_archive")
"""


@pytest.mark.skipif(shutil.which("java") is None, reason="Java (Debian: default-jre-headless) is not installed")
def test_archive(tmp_path):
    model = exported(tmp_path / "model", Options(), side=8)
    write_images(tmp_path / "images", 3)
    arguments = (f"--model={model}", f"--images={tmp_path / 'images'}", f"--output={tmp_path / 'out'}")
    printed = succeed("score_archive", *arguments, "--score_batch_size=2", "--master=local[1]", "--spark=spark.ui.enabled=false")
    assert printed == f"3 files, 3 images, 0 unreadable: {tmp_path / 'out'}\n"


def test_without_spark(tmp_path):
    command = [sys.executable, "-c", WITHOUT, f"--model={tmp_path}", f"--images={tmp_path}", "--output=out"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert finished.returncode == 1
    assert finished.stderr == "error: fanogan score_archive needs pyspark: pip install 'fanogan_tf[archive]'\n"
