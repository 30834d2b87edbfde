"""Archive scoring when workers and drivers are killed in the middle: on this machine, and on a real cluster of two workers."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.spark_cluster import cluster
from fanogan_tf.archive import spark
from fanogan_tf.options import Options
from fanogan_tf.pipeline import score_exported
from tests.helpers.archived import assert_same_rows, exported, rows_of, score, write_images
from tests.helpers.commands import ROOT

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
    write_images(folder / "images", 40)
    model = exported(folder / "model", Options(), side=8)
    score_exported(model, Options(), frozenset(), [folder / "images"], folder / "scores.csv")
    return model, folder / "images", rows_of(folder / "scores.csv")


class Held:
    """An image that is a pipe: who reads it waits, and so can be found, until `let_go` puts the image back in its place."""

    def __init__(self, path: Path):
        self._path, self._content = path, path.read_bytes()
        path.unlink()
        os.mkfifo(path)

    def reader(self) -> int:
        """Waits for the process that reads it."""
        for _ in range(1200):
            with contextlib.suppress(OSError):  # Nobody yet.
                self._ours = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
                return next(pid for pid in iter(self._found, 0) if pid)
            time.sleep(0.1)
        raise AssertionError("nobody reads it")

    def _found(self) -> int | None:
        for descriptors in Path("/proc").glob("[0-9]*/fd"):
            pid = int(descriptors.parent.name)
            with contextlib.suppress(OSError):  # The process has ended in the meantime.
                if pid != os.getpid() and str(self._path) in map(os.path.realpath, descriptors.iterdir()):
                    return pid
        return None

    def let_go(self) -> None:
        """For those who come from now on. Who has been waiting waits until `gone`."""
        self._path.unlink()
        self._path.write_bytes(self._content)

    def gone(self) -> None:
        os.close(self._ours)


@contextlib.contextmanager
def killing(held, kill):
    """In this block the reader of `held` is killed; the image is there again before."""

    def act():
        reader = held.reader()
        held.let_go()
        kill(reader)
        held.gone()

    with ThreadPoolExecutor() as pool:
        killed = pool.submit(act)
        yield
        killed.result(timeout=1)


def test_a_process_killed_in_the_middle_on_this_machine(work, tmp_path, monkeypatch):
    model, images, expected = work
    monkeypatch.setattr(spark, "_IMAGES_A_TASK", 8)
    with killing(Held(images / "017.png"), lambda pid: os.kill(pid, signal.SIGKILL)):
        line = score(model, [images], tmp_path / "out", master="local[2]")
    assert line.startswith("40 files, 40 images, 0 unreadable")
    assert_same_rows(rows_of(*(tmp_path / "out/scores").glob("part-*")), expected)


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


def test_a_worker_of_a_cluster_killed_in_the_middle(work, two_workers, tmp_path, monkeypatch):
    """All its processes are gone with it, and the other one does its work. The killed driver before has left the cluster free."""
    model, images, expected = work
    monkeypatch.setattr(spark, "_IMAGES_A_TASK", 8)
    with killing(Held(images / "031.png"), two_workers.kill_worker_of):
        line = score(model, [images], tmp_path / "out", master=two_workers.master)
    assert sum(worker.poll() is None for worker in two_workers.workers) == 1
    assert line.startswith("40 files, 40 images, 0 unreadable")
    assert_same_rows(rows_of(*(tmp_path / "out/scores").glob("part-*")), expected)
