"""The end of worker processes. If one is killed before it has begun to work, Beam waits for it for ever.

How far the workers are, told across processes of one machine by files that grow one byte per scored file.
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

_BEAMS_THREAD = "run_worker"  # It starts a worker, waits for its end, and raises if that was not a good one.
_BEAMS_WORKER = b"apache_beam.runners.worker.sdk_worker_main"


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """While the main thread is in this block, it is called back when a worker dies or on Ctrl-C, and the other workers are ended.

    They are found on Linux; elsewhere they may keep one waiting.

    Raises:
      UserError: a worker died.
    """
    ended = None

    def told(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == _BEAMS_THREAD:
            if ended is None:
                os.kill(os.getpid(), signal.SIGUSR1)  # Its handler runs in the main thread, whatever that is waiting for.
        elif not issubclass(arguments.exc_type, grpc.RpcError):  # Nobody at the other end: what follows from a death.
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
    # In the background of a shell, Ctrl-C is for others.
    numbers = [signal.SIGUSR1] if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else [signal.SIGUSR1, signal.SIGINT]
    kept_handlers = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    except Exception as error:
        if ended not in (None, error):  # Beam makes other errors of it.
            raise ended from error
        if "Channel closed" in str(error):  # Beam saw it first.
            raise _died() from error
        raise
    finally:
        threading.excepthook = kept_hook
        for number, handler in kept_handlers.items():
            signal.signal(number, handler)


def _died() -> UserError:
    return UserError("a worker process has died (killed, or out of memory); nothing was written, run it again")


def _workers_of(pid: int) -> list[int]:
    """Beam's workers among what the process `pid` has started, and what that has started."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            parents[int(folder.name)] = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_bytes()
    below, generation = set(), {pid}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation} - below
        below |= generation
    return [process for process in below if _BEAMS_WORKER in commands.get(process, b"")]


_SECONDS = 0.5  # Between two looks, and between two words of a worker.


class Ticker:
    """Call it after each file. A copy in another process tells for itself."""

    def __init__(self, folder: str):
        """folder: where to tell, on this machine; "" tells nobody."""
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
    """How many files the tickers of `folder` have told of."""
    return sum(path.stat().st_size for path in folder.glob("*"))


@contextlib.contextmanager
def shown(folder: Path, total: int, unit: str) -> Iterator[None]:
    """A progress bar of what the tickers of `folder` tell, as long as the block runs."""
    done = threading.Event()
    interval = 0.1 if sys.stderr.isatty() else 20.0  # In a log file a line now and then is enough.
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
