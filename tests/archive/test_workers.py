"""Worker processes that are killed: the run ends at once, with one line, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fanogan_tf.archive.workers import _workers_of, watched
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from tests.helpers.archived import MULTI_PROCESS, exported, score, write_images

SAID = "a worker process has died (killed, or out of memory); nothing was written, run it again"


@pytest.fixture(autouse=True)
def ctrl_c():
    """Handles Ctrl-C as in a terminal; a shell makes its background processes ignore it, these tests included."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def wait_for(look, seconds=120):
    """Polls `look` until it returns something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def reader_of(fifo):
    """Finds the process that reads `fifo`; returns it with our end of the pipe, or None."""
    try:
        ours = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # Nobody yet.
        return None
    for path in Path("/proc").glob("[0-9]*/fd"):
        try:
            open_there = [os.path.realpath(descriptor) for descriptor in path.iterdir()]
        except (FileNotFoundError, PermissionError):
            continue
        if str(fifo) in open_there and int(path.parent.name) != os.getpid():
            return int(path.parent.name), ours
    os.close(ours)
    return None


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """An exported model and some images."""
    folder = tmp_path_factory.mktemp("work")
    write_images(folder / "images", 30)
    return exported(folder / "model", Options(), side=8), folder / "images"


def fails_while(act, work, output, *more):
    """Scores with two worker processes while `act` runs in another thread; returns the error's message."""
    model, images = work
    actor = threading.Thread(target=act)
    actor.start()
    with pytest.raises(UserError) as raised:
        score(model, [images, *more], output, *MULTI_PROCESS)
    actor.join()
    return str(raised.value)


@pytest.mark.slow
def test_killed_in_the_middle_of_its_work(work, tmp_path, capfd):
    """It reads a pipe as an image, and is killed while it waits there for ever."""
    fifo = tmp_path / "one.png"
    os.mkfifo(fifo)

    def act():
        worker, ours = wait_for(lambda: reader_of(fifo))
        os.kill(worker, signal.SIGKILL)
        os.close(ours)

    assert fails_while(act, work, tmp_path / "out", fifo) == SAID
    assert "Traceback" not in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == [fifo]


@pytest.mark.slow
def test_killed_before_its_work_begins(work, tmp_path, capfd):
    """Beam alone would wait for it for ever."""
    act = lambda: os.kill(wait_for(lambda: _workers_of(os.getpid()))[0], signal.SIGKILL)  # noqa: E731
    assert fails_while(act, work, tmp_path / "out") == SAID
    assert "Traceback" not in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_errors_pass_unchanged():
    with pytest.raises(RuntimeError, match="another"), watched():
        raise RuntimeError("another")
    with pytest.raises(UserError, match="has died"), watched():
        raise RuntimeError("Channel closed prematurely.")


def test_ctrl_c_passes_although_beam_wraps_it():
    with pytest.raises(KeyboardInterrupt), watched():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise RuntimeError("KeyboardInterrupt [while running 'Read']") from error


def test_an_ignored_ctrl_c_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with watched():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_hooks_are_restored():
    before = threading.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)
    with watched():
        assert threading.excepthook is not before[0] and signal.getsignal(signal.SIGINT) is not before[1]
    assert (threading.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)) == before


def test_ctrl_c_ends_the_workers_and_no_other_process():
    sleeping = ["import time; time.sleep(600)", "# apache_beam.runners.worker.sdk_worker_main"]
    worker, other = (subprocess.Popen([sys.executable, "-c", *part]) for part in (sleeping, sleeping[:1]))
    try:
        with pytest.raises(KeyboardInterrupt), watched():
            signal.raise_signal(signal.SIGINT)
        assert worker.wait(timeout=60) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        worker.kill()
        other.kill()
