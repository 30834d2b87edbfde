"""Exported models and archives for the tests of archive scoring."""

import contextlib
import csv
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from fanogan_tf.archive.spark import score_archive
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.options import Options
from fanogan_tf.serving.export import export
from tests.helpers import served_models as made


def exported(folder: Path, options: Options, side: int) -> Path:
    """Exports a model for images of `side`, with the options on its card; about half of all noise images are anomalous.

    The probability is nearly proportional to the score, so that it is as exact.
    """
    detector = made.detector(shape=(side, side, 1))
    noise = np.random.default_rng(0).uniform(-1, 1, (40, side, side, 1)).astype(np.float32)
    scores = np.linspace(0, 2 * np.median(detector.measure(noise)["score"]), 40)
    detector.calibration = calibrate(scores, "quantile", 0.5)
    return export(detector, folder, card={"flags": dataclasses.asdict(options)})


def write_images(folder: Path, count: int, side: int = 8) -> None:
    """Writes grey PNGs of noise: 000.png, 001.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)
        Image.fromarray(noise).save(folder / f"{number:03d}.png")


def score(model: Path, images: list, output: Path, file_format: str = "csv", **more) -> str:
    """Scores an archive; returns the line that the command prints."""
    names = [str(image) for image in images]
    return score_archive(str(model), names, str(output), file_format, Options(), frozenset(), **more)


def rows_of(*paths: Path) -> list[dict[str, str]]:
    """Reads all rows of some CSV files, sorted by their first column."""
    rows = []
    for path in paths:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows += csv.DictReader(file)
    return sorted(rows, key=lambda row: next(iter(row.values())))


def assert_same_rows(rows: list[dict[str, str]], expected: list[dict[str, str]]) -> None:
    """Asserts equal texts, and numbers equal except for the last bits, which depend on the place in a batch."""
    assert len(rows) == len(expected) > 0
    for row, other in zip(rows, expected, strict=True):
        assert row.keys() == other.keys()
        for name, value in row.items():
            if name.startswith(("score", "probability", "image_", "feature_", "latent_", "share_")):
                np.testing.assert_allclose(float(value), float(other[name]), rtol=2e-6)
            else:
                assert value == other[name]


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
        """Lets go of the reader too, which has been killed."""
        os.close(self._ours)


@contextlib.contextmanager
def killing(held: Held, kill: Callable[[int], None]) -> Iterator[None]:
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
