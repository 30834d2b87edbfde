"""The end of worker processes. If one is killed before it has begun to work, Beam waits for it for ever."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc

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
    ended = False

    def told(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == _BEAMS_THREAD:
            if not ended:
                os.kill(os.getpid(), signal.SIGUSR1)  # Its handler runs in the main thread, whatever that is waiting for.
        elif not issubclass(arguments.exc_type, grpc.RpcError):  # Nobody at the other end: what follows from a death.
            kept_hook(arguments)

    def end(number: int, _) -> None:
        nonlocal ended
        if not ended:
            ended = True
            for worker in _workers_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            raise _died() if number == signal.SIGUSR1 else KeyboardInterrupt

    kept_hook, threading.excepthook = threading.excepthook, told
    kept_handlers = {number: signal.signal(number, end) for number in (signal.SIGUSR1, signal.SIGINT)}
    try:
        yield
    except RuntimeError as error:
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
