"""The end of a worker process that was killed. Beam waits for it for ever, if it had not begun to work."""

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from fanogan_tf.errors import UserError

_BEAMS_THREAD = "run_worker"  # It starts a worker, waits for its end, and raises if that was not a good one.


@contextlib.contextmanager
def watched(progress: Path) -> Iterator[None]:
    """While the main thread is in this block, it is called back when a worker dies, or on Ctrl-C.

    Args:
      progress: the tickers' folder; removing it tells the other workers to stop, whom Beam would wait for.

    Raises:
      UserError: a worker died.
    """

    def told(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name == _BEAMS_THREAD:
            os.kill(os.getpid(), signal.SIGUSR1)  # A handler runs in the main thread, whatever that is waiting for.
        else:
            kept_hook(arguments)

    def end(number: int, _) -> None:
        shutil.rmtree(progress, ignore_errors=True)
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
