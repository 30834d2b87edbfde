"""How far the workers are, told across processes of one machine by files that grow one byte per scored file."""

import contextlib
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

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
