"""The worker processes of Beam's DirectRunner: their end and their progress.

Beam waits for ever for a worker that is killed before it starts to work; `watched` ends the run instead. Workers report progress
through files that grow by one byte per scored file: `Ticker` writes them, `shown` shows them.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
from tqdm import tqdm

from fanogan_tf.errors import UserError

_BEAMS_THREAD = "run_worker"  # It starts a worker, waits for it, and raises if the worker failed.
_BEAMS_WORKER = b"apache_beam.runners.worker.sdk_worker_main"


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Ends this block, which the main thread runs, and all other workers as soon as a worker dies or on Ctrl-C.

    Workers are found on Linux only; elsewhere the block may wait for them.

    Raises:
      UserError: a worker died.
    """
    ended: BaseException | None = None

    def told(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == _BEAMS_THREAD:
            if ended is None:
                os.kill(os.getpid(), signal.SIGUSR1)  # Its handler runs in the main thread, even while that waits.
        elif not issubclass(arguments.exc_type, grpc.RpcError):  # A lost connection only follows from a death.
            kept_hook(arguments)

    def end(number: int, _) -> None:
        nonlocal ended
        if ended is None:
            ended = _died() if number == signal.SIGUSR1 else KeyboardInterrupt()
            for worker in _workers_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            raise ended

    kept_hook, threading.excepthook = threading.excepthook, told
    # A shell makes its background processes ignore Ctrl-C; keep it so.
    numbers = [signal.SIGUSR1] if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else [signal.SIGUSR1, signal.SIGINT]
    kept_handlers = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    except Exception as error:
        if ended is not None and ended is not error:  # Beam has wrapped the error in another one.
            raise ended from error
        if "Channel closed" in str(error):  # Beam noticed the death first.
            raise _died() from error
        raise
    finally:
        threading.excepthook = kept_hook
        for number, handler in kept_handlers.items():
            signal.signal(number, handler)


def _died() -> UserError:
    return UserError("a worker process has died (killed, or out of memory); nothing was written, run it again")


def _workers_of(pid: int) -> list[int]:
    """Finds Beam's workers among the descendants of the process `pid`."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended in the meantime.
            parents[int(folder.name)] = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_bytes()
    below: set[int] = set()
    generation = {pid}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation} - below
        below |= generation
    return [process for process in below if _BEAMS_WORKER in commands.get(process, b"")]


_SECONDS = 0.5  # Between two reports of a worker, and between two updates of the bar.


class Ticker:
    """A counter to call after each file. Pickled into another process, it counts there by itself.

    folder: of the counts, on this machine; "" to count nothing.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._path = Path(folder, uuid.uuid4().hex)
        self._untold = 0
        self._told = 0.0

    def __reduce__(self):
        return Ticker, (self._folder,)

    def __call__(self) -> None:
        self._untold += 1
        now = time.monotonic()
        if self._folder and now - self._told > _SECONDS:
            with open(self._path, "ab") as file:
                file.write(b"." * self._untold)
            self._untold, self._told = 0, now


def counted(folder: Path) -> int:
    """Counts the files that the tickers of `folder` have reported."""
    return sum(path.stat().st_size for path in folder.glob("*"))


@contextlib.contextmanager
def shown(folder: Path, total: int, unit: str) -> Iterator[None]:
    """Shows the progress that the tickers of `folder` report, as long as the block runs."""
    done = threading.Event()
    interval = 0.1 if sys.stderr.isatty() else 20.0  # A log file needs a line now and then only.
    with tqdm(total=total, desc="scoring", unit=unit, mininterval=interval) as bar:

        def look() -> None:
            while not done.wait(_SECONDS):
                new = counted(folder) - bar.n
                if new:
                    bar.update(new)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        bar.update(total - bar.n)
