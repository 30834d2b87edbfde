"""The command on a real cluster of a master and two workers, when workers and drivers are killed in the middle."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from benchmarks.spark_cluster import cluster
from fanogan_tf.options import Options
from fanogan_tf.pipeline import score_exported
from tests.helpers.archived import Held, assert_same_rows, exported, killing, rows_of, write_images
from tests.helpers.commands import ROOT, succeed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Java (Debian: default-jre-headless) is not installed"),
]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """An exported model, images, and the rows of `score`."""
    folder = tmp_path_factory.mktemp("work")
    write_images(folder / "images", 600)  # Three tasks, which both workers share.
    model = exported(folder / "model", Options(), side=8)
    score_exported(model, Options(), frozenset(), [folder / "images"], folder / "scores.csv")
    return model, folder / "images", rows_of(folder / "scores.csv")


def test_a_killed_driver_leaves_no_output(work, two_workers, tmp_path):
    model, images, _ = work
    held = Held(images / "005.png")
    command = [sys.executable, str(ROOT / "scripts/score_archive.py"), f"--model={model}", f"--images={images}"]
    command += [f"--output={tmp_path / 'out'}", f"--master={two_workers.master}"]
    driver = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    reader = held.reader()
    driver.kill()
    driver.wait()
    held.let_go()
    os.kill(reader, signal.SIGKILL)
    held.gone()
    assert not (tmp_path / "out").exists()


def test_a_worker_of_a_cluster_killed_in_the_middle(work, two_workers, tmp_path):
    """All its processes are gone with it, and the other one does its work. The killed driver before has left the cluster free."""
    model, images, expected = work
    arguments = (f"--model={model}", f"--images={images}", f"--output={tmp_path / 'out'}", "--spark=spark.ui.enabled=false")
    with killing(Held(images / "531.png"), two_workers.kill_worker_of):
        line = succeed("score_archive", *arguments, "--score_batch_size=8", f"--master={two_workers.master}")
    assert sum(worker.poll() is None for worker in two_workers.workers) == 1
    assert line == f"600 files, 600 images, 0 unreadable: {tmp_path / 'out'}\n"
    assert_same_rows(rows_of(*(tmp_path / "out/scores").glob("part-*")), expected)
