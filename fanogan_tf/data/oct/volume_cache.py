"""Prepared volumes on disk, found by what they were made from: no volume is prepared twice with the same settings."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from fanogan_tf import files
from fanogan_tf.data.oct.preparation import Preparation, PreparedVolume

_VERSION = 1  # To be raised when the preparation gives other areas for the same volume.
_OF_THE_SOURCE = ("name", "label", "source")
_ARRAYS = ("areas", "scans", "top", "bottom", "lesions")


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
        arrays["areas"] = np.load(entry / "areas.npy", mmap_mode="r")
        if (entry / "lesions.npy").exists():
            arrays["lesions"] = np.load(entry / "lesions.npy", mmap_mode="r")
        meta |= {field: tuple(meta[field]) for field in ("shape", "spacing", "kinds")}
        meta["left_out"] = tuple((scan, reason) for scan, reason in meta["left_out"])
        return PreparedVolume(name=source.name, label=source.label, source=source, **meta, **arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
