"""Prepared volumes on disk: made in parallel, found by their content and settings, and never made twice."""

import dataclasses
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from tqdm import tqdm

from fanogan_tf import files
from fanogan_tf.errors import UserError
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.oct.preparation import NoRetina, Preparation, PreparedVolume, prepare
from fanogan_tf.oct.readers import find
from fanogan_tf.oct.volume import Volume

_VERSION = 1  # To be raised when the preparation gives other areas for the same volume.
_OF_THE_SOURCE = ("name", "label", "source")
_ARRAYS = ("areas", "scans", "top", "bottom", "lesions")


@dataclasses.dataclass(frozen=True)
class VolumeFile:
    """A volume on disk.

    Attributes:
      path: of the file or folder.
      name: unique.
      label: of the eye, 0 normal, 1 anomalous, -1 unknown.
      lesions: its mask file, if any.
      class_name: of what makes the eye anomalous, "" where that is not known.
      single: it is an image that is a B-scan of its own.
      spacing: see `find.read_volume`.
    """

    path: Path
    name: str
    label: int = -1
    lesions: Path | None = None
    class_name: str = ""
    single: bool = False
    spacing: tuple[float, float] | None = None

    def content(self) -> list:
        """All that the volume depends on: the bytes of its files, not their names."""
        paths = [self.path] if self.single else find.volume_files(self.path)
        paths += [self.lesions] if self.lesions else []
        digests = []
        for path in paths:
            with open(path, "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        given = [] if self.spacing is None else [list(self.spacing)]
        return ["file", self.path.suffix, self.lesions is not None, *given, *digests]

    def make(self) -> Volume:
        """Reads it. Raises UserError."""
        read = find.read_single if self.single else find.read_volume
        volume = read(self.path, self.name, self.spacing)
        return find.read_lesions(self.lesions, volume) if self.lesions else volume


@dataclasses.dataclass(frozen=True)
class Phantom:
    """A synthetic volume, made when it is needed."""

    seed: int
    settings: PhantomSettings
    name: str
    label: int = -1
    class_name: str = ""
    single: bool = False

    def content(self) -> list:
        """All that the volume depends on."""
        return ["phantom", self.seed, dataclasses.asdict(self.settings)]

    def make(self) -> Volume:
        """Makes it."""
        return make_phantom(self.seed, self.settings, self.name)


def prepare_all(
    sources: Sequence[VolumeFile | Phantom], settings: Preparation, cache_dir: Path, skip_unreadable: bool = False
) -> tuple[list[PreparedVolume], list[str]]:
    """Opens every volume prepared; those that are not yet are prepared now, several at a time, with a progress bar.

    Broken off, it goes on where it stopped: each volume is kept as soon as it is ready. B-scans that had to be left out are
    reported on stderr: those of volumes, and single ones in which no retina is found.

    Args:
      skip_unreadable: report and leave out volumes that cannot be used, instead of raising.

    Returns:
      The prepared volumes in order, and the messages of those that were left out.

    Raises:
      UserError: a volume that cannot be read or prepared; a single B-scan without a retina is none.
    """
    entries = [entry_path(cache_dir, source.content(), settings) for source in sources]
    missing = {entry: source for entry, source in zip(entries, sources, strict=True) if not (entry / "meta.json").is_file()}
    problems = _prepare_missing(missing, settings, skip_unreadable) if missing else {}
    prepared: list[PreparedVolume] = []
    for entry, source in zip(entries, sources, strict=True):
        if entry not in problems:
            volume = read(entry, source)
            if volume is None:  # Damaged: once more.
                _prepare_one(entry, source, settings)
                volume = read(entry, source)
            if volume is None:
                raise UserError(f"{entry}: cannot be read, although it was just written; check the disk")
            prepared.append(volume)
    for volume in prepared:
        if volume.left_out:
            print(_left_out(volume), file=sys.stderr)
    without = [source.name for entry, source in zip(entries, sources, strict=True) if entry in problems and problems[entry].mild]
    if without:
        some = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        print(f"{len(without)} of {len(sources)} B-scans left out, in which no retina is found: {some}", file=sys.stderr)
    for problem in problems.values():
        if not problem.mild:
            print(f"Skipped: {problem.message}", file=sys.stderr)
    return prepared, [problem.message for problem in problems.values()]


def entry_path(cache_dir: Path, content: list, settings: Preparation) -> Path:
    """The folder of a prepared volume. content: what the volume is made from, all that JSON can hold."""
    text = json.dumps([_VERSION, content, dataclasses.asdict(settings)], sort_keys=True)
    return Path(cache_dir) / f"volume-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def write(entry: Path, volume: PreparedVolume) -> None:
    """Writes `entry`, whole or not at all."""
    with files.whole_folder(entry) as temporary:
        for name in _ARRAYS:
            if getattr(volume, name) is not None:
                np.save(temporary / f"{name}.npy", getattr(volume, name))
        fields = [field.name for field in dataclasses.fields(volume) if field.name not in (*_ARRAYS, *_OF_THE_SOURCE)]
        meta = {name: getattr(volume, name) for name in fields}
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def read(entry: Path, source) -> PreparedVolume | None:
    """Opens what `write` wrote, its areas as memory-maps; None if it is not there or not whole.

    Name and label are those of the `source`: the same file may be called otherwise in another data set.
    """
    try:
        meta = json.loads((entry / "meta.json").read_text(encoding="utf-8"))
        arrays = {array: np.load(entry / f"{array}.npy") for array in ("scans", "top", "bottom")}
        # Thousands of single B-scans would be as many open files.
        arrays["areas"] = np.load(entry / "areas.npy", mmap_mode=None if source.single else "r")
        if (entry / "lesions.npy").exists():
            arrays["lesions"] = np.load(entry / "lesions.npy", mmap_mode="r")
        meta |= {field: tuple(meta[field]) for field in ("shape", "spacing", "kinds")}
        meta["left_out"] = tuple((scan, reason) for scan, reason in meta["left_out"])
        return PreparedVolume(name=source.name, label=source.label, source=source, **meta, **arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


class _Problem(NamedTuple):
    """What is wrong with a volume. mild: there is nothing to repair, as a single B-scan without a retina is merely left out."""

    message: str
    mild: bool


def _prepare_missing(
    missing: dict[Path, VolumeFile | Phantom], settings: Preparation, skip_unreadable: bool
) -> dict[Path, _Problem]:
    """Returns entry -> why there is none, of what was left out."""
    problems = {}
    # Processes, as the minimum cut holds Python's lock.
    parallel = joblib.Parallel(n_jobs=min(len(missing), os.cpu_count() or 1), return_as="generator_unordered")
    finished = parallel(joblib.delayed(_prepare_one)(entry, source, settings) for entry, source in missing.items())
    with tqdm(total=len(missing), desc="Preparing volumes", unit="volume", file=sys.stderr) as bar:
        for entry, problem in finished:
            if problem and not (skip_unreadable or problem.mild):
                with warnings.catch_warnings(action="ignore"):  # joblib tells that the other volumes were broken off.
                    finished.close()
                raise UserError(problem.message)
            if problem:
                problems[entry] = problem
            bar.update()
    return problems


def _prepare_one(entry: Path, source: VolumeFile | Phantom, settings: Preparation) -> tuple[Path, _Problem | None]:
    """Returns `entry`, and what is wrong with the volume, if anything."""
    try:
        write(entry, prepare(source.make(), settings))
    except UserError as error:
        return entry, _Problem(str(error), source.single and isinstance(error, NoRetina))
    return entry, None


def _left_out(volume: PreparedVolume) -> str:
    shown = "; ".join(f"B-scan {scan}: {reason}" for scan, reason in volume.left_out)
    return f"{volume.name}: {len(volume.left_out)} of {volume.shape[0]} B-scans left out ({shown})"
