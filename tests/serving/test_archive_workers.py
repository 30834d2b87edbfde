"""Worker processes that get killed: the run ends with one line, at once, and nothing of it is left."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from scripts.helpers import start

from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.serving import archive
from fanogan_tf.serving.archive_workers import watched

from .archived import MULTI_PROCESS, exported, write_images

SAID = "a worker process has died (killed, or out of memory); nothing was written, run it again"


def wait_for(look, seconds=120):
    """What `look` returns once that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def child_of(pid):
    """A process that `pid` has started, or None."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest.split()[1] == str(pid):
            return int(name.split()[0])
    return None


def reader_of(fifo):
    """The process that has come to read `fifo`, and our end of it, or None."""
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


def started(work, output, *more):
    model, images = work
    named = [f"--images={path}" for path in (images, *more)]
    return start("score_archive", f"--saved_model={model}", *named, f"--output={output}", *MULTI_PROCESS)


def assert_ended_well(process, folder):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and output == "", errors
    assert errors.replace("\r", "\n").splitlines()[-1] == f"error: {SAID}" and "Traceback" not in errors, errors
    assert list(folder.iterdir()) == []


def test_killed_in_the_middle_of_its_work(work, tmp_path, tmp_path_factory):
    """It reads a pipe as an image, waits there for ever, and that is when it is killed; the others have their rows written."""
    fifo = tmp_path_factory.mktemp("images") / "one.png"
    os.mkfifo(fifo)
    process = started(work, tmp_path / "out", fifo)
    worker, ours = wait_for(lambda: reader_of(fifo))
    os.kill(worker, signal.SIGKILL)
    os.close(ours)
    assert_ended_well(process, tmp_path)


def test_killed_before_its_work_begins(work, tmp_path):
    """For which Beam alone would wait for ever."""
    process = started(work, tmp_path / "out")
    shell = wait_for(lambda: child_of(process.pid))
    os.kill(wait_for(lambda: child_of(shell)), signal.SIGKILL)
    assert_ended_well(process, tmp_path)


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="another"), watched(tmp_path):
        raise RuntimeError("another")
    with pytest.raises(UserError, match="has died"), watched(tmp_path):
        raise RuntimeError("Channel closed prematurely.")


def test_hooks_are_put_back(tmp_path):
    before = threading.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)
    with watched(tmp_path):
        assert threading.excepthook is not before[0] and signal.getsignal(signal.SIGINT) is not before[1]
    assert (threading.excepthook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)) == before


def test_interrupting_calls_the_workers_off(tmp_path):
    progress = tmp_path / "progress"
    progress.mkdir()
    with pytest.raises(KeyboardInterrupt), watched(progress):
        signal.raise_signal(signal.SIGINT)
    assert not progress.exists()
    with pytest.raises(FileNotFoundError):
        archive.Ticker(str(progress))()
