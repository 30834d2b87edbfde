"""What one task of Spark does: it reads some files, scores them with an exported model, and hands on rows.

A row is one of three kinds: IMAGE (a row of `score_table`, of an image or a volume's patch), VOLUME (of a group of images, such
as a volume) or UNREADABLE (a file and the reason why it could not be scored).
"""

import dataclasses
import functools
import gc
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import tensorflow as tf

from fanogan_tf.archive.files import at_hand
from fanogan_tf.data.decode import read_image
from fanogan_tf.data.image_stream import unlabelled_batch
from fanogan_tf.data.pixels import resize
from fanogan_tf.datasets import DATASETS, Volumes
from fanogan_tf.detection import score_table
from fanogan_tf.detection.scoring import rows_of
from fanogan_tf.detection.terms import FURTHER, OWN
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.serving import exported
from fanogan_tf.serving.saved_model import ServedDetector

IMAGE, VOLUME, UNREADABLE = "image", "volume", "unreadable"

# Columns by Spark's names of their types. A row has those of its kind.
TYPES = {
    "kind": "string",
    **dict.fromkeys(("image", "class", "volume", "eye", "reason", score_table.SCREENED), "string"),
    **dict.fromkeys(("label", "anomalous"), "tinyint"),
    **dict.fromkeys(("bscans", "left_out", "patches"), "int"),
    **dict.fromkeys(("score", "probability", *OWN, *FURTHER), "float"),
    **dict.fromkeys(("score_mean", "score_max", "share_anomalous"), "double"),
}
_ARROW = {
    "string": pyarrow.string(),
    "tinyint": pyarrow.int8(),
    "int": pyarrow.int32(),
    "float": pyarrow.float32(),
    "double": pyarrow.float64(),
}
_SCHEMA = pyarrow.schema([(name, _ARROW[kind]) for name, kind in TYPES.items()])
_ROWS_AT_ONCE = 1_000  # In one Arrow batch.

# The remedy at the end of a reader's message. An archive always skips unreadable files.
_REMEDY = re.compile(r"; \w+ it, or give --skip_unreadable$")


@dataclasses.dataclass(frozen=True)
class Work:
    """What is the same for all tasks; Spark sends it to the workers.

    Attributes:
      model: path or URL of an exported model.
      rate: see `exported.load`.
      options: of the run that the model comes from.
      batch_size: images scored at once.
      threads: of TensorFlow; as many as a task has cores.
    """

    model: str
    rate: float | None
    options: Options
    batch_size: int
    threads: int

    def __call__(self, lists: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        """Lists of file names, as JSON in their first column, -> rows with the columns TYPES."""
        model = loaded(self.model, self.rate, self.threads)
        names = (json.loads(line) for batch in lists for line in batch.column(0).to_pylist())
        rows: list[dict] = []
        groups = DATASETS[self.options.dataset].groups
        for row in self._groups(groups, names, model) if groups else self._images(names, model):
            rows.append(_storable(row))
            if len(rows) == _ROWS_AT_ONCE:
                yield pyarrow.RecordBatch.from_pylist(rows, _SCHEMA)
                rows = []
        yield pyarrow.RecordBatch.from_pylist(rows, _SCHEMA)

    def _images(self, names: Iterator[str], model: ServedDetector) -> Iterator[dict]:
        good: dict[str, np.ndarray] = {}
        for name in names:
            image, reason = _read(name, lambda path: resize(model.cut(read_image(path)), model.image_shape[:2]))
            if image is None:
                yield {"kind": UNREADABLE, "image": name, "reason": reason}
                continue
            good[name] = image
            if len(good) == self.batch_size:
                yield from _judged(model, good)
                good = {}
        if good:
            yield from _judged(model, good)

    def _groups(self, groups: Volumes, names: Iterator[str], model: ServedDetector) -> Iterator[dict]:
        for name in names:
            opened, reason = _read(name, lambda path, name=name: groups.opened(path, name, self.options))
            if opened is None:
                yield {"kind": UNREADABLE, "image": name, "reason": reason}
                continue
            volume, patches = opened
            judged = ((batch, model.judge(batch["image"])) for batch in patches.batches(self.batch_size))
            rows = [row for batch, said in judged for row in rows_of(batch, said)]
            yield from ({"kind": IMAGE, **row} for row in rows)
            yield {"kind": VOLUME, **groups.row(volume, rows)}


@functools.cache
def loaded(model: str, rate: float | None, threads: int) -> ServedDetector:
    """Loads the model, once per process. threads: of TensorFlow in a worker's process; 0 in the driver's, which is left as it is.

    Raises:
      UserError: what `exported.load` raises.
    """
    if not threads:
        with at_hand(model) as path:
            return exported.load(path, rate)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with at_hand(model) as path:
        served = exported.load(path, rate)
    # After every task Spark's worker looks for garbage, among TensorFlow's million objects too if it is let: ten times the task.
    gc.freeze()
    return served


def _judged(model: ServedDetector, images: dict[str, np.ndarray]) -> Iterator[dict]:
    batch = unlabelled_batch(list(images), list(images.values()))
    judged = model.judge(batch["image"])
    for row, found in zip(rows_of(batch, judged), judged.get("region_found", np.ones(len(images), bool)), strict=True):
        if found:
            yield {"kind": IMAGE, **row}
        else:
            yield {"kind": UNREADABLE, "image": row["image"], "reason": "no lungs found, or strange ones"}


def _read(name: str, read):
    """What `read` makes of the file, and ""; or None, and the reason why it cannot. A file is scored as a whole or not at all."""
    path = Path(name)
    try:
        with at_hand(name) as path:
            return read(path), ""
    except UserError as error:
        return None, _REMEDY.sub("", str(error)).removeprefix(f"{path}: ").removeprefix(f"{name}: ")
    except Exception as error:  # One broken file in a million must not end the run; the reason is kept.
        return None, f"{type(error).__name__}: {' '.join(str(error).split())}"


def _storable(row: dict) -> dict:
    r"""A row as Spark's tables hold it: what is unknown is null, and bytes of names that are not UTF-8 become `\xNN`."""
    stored = {name: _value(name, row[name]) for name in TYPES if name in row}
    if "certainly_normal" in row:
        stored[score_table.SCREENED] = score_table.SCREENED_AS[bool(row["certainly_normal"])]
    return stored


def _value(name: str, value):
    if isinstance(value, str):
        return os.fsencode(value).decode("utf-8", "backslashreplace") or None
    if name == "label":
        return value if value >= 0 else None
    if TYPES[name] in ("tinyint", "int"):
        return int(value)
    return None if math.isnan(value) else float(value)
