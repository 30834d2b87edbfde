"""The run directory: its contents, and the guards that keep two runs apart."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fanogan_tf import files, option_flags
from fanogan_tf import options as options_module
from fanogan_tf.distributed import cluster
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

if TYPE_CHECKING:  # The images come with TensorFlow, whose import takes seconds.
    from fanogan_tf.data.image_set import ImageSet, Splits

# Chosen when the detector is made and stored in it.
OF_THE_DETECTOR = options_module.names("detector", free=True)


class RunDirectory:
    """Paths of one run, and its settings."""

    def __init__(self, path: str | Path, cache: Path | None = None):
        """cache: where prepared images are kept, for several runs to share; None: in the run."""
        if not str(path):
            raise UserError("--run_dir: say in which directory the run is kept, as in --run_dir=runs/first")
        self.path = Path(path)
        self.flags = self.path / "flags.txt"
        self.data = self.path / "data.json"
        self.leaks = self.path / "leaks.json"
        self.doctor = self.path / "doctor.json"
        self.cache = cache or self.path / "cache"
        self.gan = self.phase("gan")
        self.encoder = self.phase("encoder")
        self.detector = self.path / "detector"
        self.scores = self.path / "scores.csv"
        self.images = self.path / "images.csv"
        self.volume_scores = self.path / "scores.volumes.csv"
        self.measured = self.path / "measured"
        self.timing = self.path / "scoring.json"
        self.report = self.path / "report"

    def member(self, number: int) -> RunDirectory:
        """Where the member `number` of several keeps its phases: the first in the run itself."""
        return RunDirectory(self.path / f"member_{number}", self.cache) if number else self

    def phase(self, name: str) -> Path:
        """Where a phase of training keeps its checkpoints, logs and samples."""
        return self.path / name

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes the run inside this block. The system lets go of the lock also when the process is killed.

        Of several processes that train it together, the chief writes it and the others only read: nothing is locked for them.

        Raises:
          UserError: another process holds it, or the directory cannot be made.
        """
        if not cluster.is_chief():
            yield
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "w")  # noqa: SIM115 - held until the end of the block
        except OSError as error:
            raise UserError(f"--run_dir={self.path}: cannot be written ({error.strerror})") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"{self.path}: another process is writing this run; wait for it or take another --run_dir"
                ) from error
            yield

    def begin(self, options: Options, given: frozenset[str], overwrite: bool, calibrates: bool = True) -> Options:
        """The options for a new run, or for going on with the one that is here. Changes nothing yet.

        Args:
          options, given: see `option_flags.from_flags`. Settings that were not given are those of the run that is here.
          overwrite: the run that is here does not count.
          calibrates: what follows ends with a calibration, so that the threshold's settings may change.

        Raises:
          UserError: the run here has other settings (says which), or the directory holds something else.
        """
        found = self._found()
        if found and not self.flags.is_file():
            raise UserError(f"{self.path}: is no run directory (no flags.txt) and not empty; take another --run_dir")
        free = options_module.FREE if calibrates else options_module.FREE - OF_THE_DETECTOR
        remedy = "take another --run_dir (or train with --overwrite, which deletes that run)"
        return self._merged(options, given, free, remedy) if found and not overwrite else options

    def take(self, options: Options, splits: Splits, overwrite: bool) -> None:
        """Makes this the directory of a run with these options on these images. Call it `locked`, once nothing speaks against it.

        In a process that is not the chief of those that train it, it only looks whether the images are the same.

        Raises:
          UserError: the run that is here began with other images.
        """
        if not cluster.is_chief():
            self.check_data(splits)
            return
        if overwrite:
            # What makes this a run directory goes last: broken off in between, it can still be overwritten.
            for path in sorted(self._found(), key=lambda path: path == self.flags):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self.check_data(splits)
        with files.whole_file(self.flags) as temporary:
            temporary.write_text(option_flags.to_text(options), encoding="utf-8")
        with files.whole_file(self.data) as temporary:
            temporary.write_text(json.dumps(_fingerprints(splits), indent=1), encoding="utf-8")

    def _found(self) -> list[Path]:
        """What is here of an earlier run. Prepared images do not count: they are keyed by what they were made from."""
        paths = self.path.iterdir() if self.path.is_dir() else ()
        return [path for path in paths if path not in (self.cache, self.path / ".lock")]

    def kept_options(self) -> Options:
        """The options that the run last had; the defaults where there is no run yet.

        Raises:
          UserError: they are not of this version.
        """
        if not self.flags.is_file():
            return Options()
        return option_flags.from_text(self.flags.read_text(encoding="utf-8"), str(self.flags))

    def options(self, given_options: Options, given: frozenset[str]) -> Options:
        """The options of a finished run, for scoring or evaluating it.

        Raises:
          UserError: there is no run here, or a given option contradicts it.
        """
        remedy = "leave it out, or take another --run_dir"
        return self._merged(given_options, given, options_module.FREE - OF_THE_DETECTOR, remedy)

    def _merged(self, options: Options, given: frozenset[str], free: frozenset[str], remedy: str) -> Options:
        """The run's own options, with the given ones that are `free` to change; `remedy` says what to do about any other."""
        if not self.flags.is_file():
            raise UserError(f"{self.path}: no run here; run fanogan train --run_dir={self.path} first")
        kept = self.kept_options()
        differing = options_module.differing(kept, options, given)
        fixed = [name for name in differing if name not in free]
        if fixed:
            details = ", ".join(f"--{name} is {getattr(kept, name)} there, {getattr(options, name)} here" for name in fixed)
            if OF_THE_DETECTOR.issuperset(fixed):
                remedy = "run fanogan train with it, all phases, to calibrate again; nothing is trained twice"
            raise UserError(f"{self.path}: holds another run: {details}; {remedy}")
        return dataclasses.replace(kept, **{name: getattr(options, name) for name in differing})

    def check_data(self, splits: Splits, names: tuple[str, ...] = ("train", "validation", "test")) -> None:
        """Compares the images of the splits `names` with those that the run here began with, where there is one.

        Raises:
          UserError: they have changed.
        """
        if not self.data.is_file():
            return
        before, now = json.loads(self.data.read_text(encoding="utf-8")), _fingerprints(splits)
        for name in names:
            if before[name] != now[name]:
                raise UserError(
                    f"{self.path}: the {name} images are not those that this run began with "
                    f"({before[name]['images']} then, {now[name]['images']} now); restore them, or take another --run_dir"
                )


def _fingerprints(splits: Splits) -> dict[str, dict]:
    return {name: _fingerprint(getattr(splits, name)) for name in ("train", "validation", "test")}


def _fingerprint(image_set: ImageSet) -> dict:
    """Enough to notice other images: number, shape, names, and the pixels, and regions if there are any, of up to 100 of them."""
    some = np.unique(np.linspace(0, len(image_set) - 1, 100).astype(int))
    fingerprint = {
        "images": len(image_set),
        "shape": list(image_set.image_shape),
        "names": zlib.crc32("\n".join(image_set.names.tolist()).encode(errors="surrogateescape")),
        "pixels": zlib.crc32(np.ascontiguousarray(image_set.images[some]).tobytes()),
    }
    if image_set.regions is not None:
        fingerprint["regions"] = zlib.crc32(np.asarray(image_set.regions[some], np.uint8).tobytes())
    return fingerprint
