"""The output of archive scoring: a folder of table shards, which appears complete or not at all.

Shards are CSV, as `score` writes it, or Parquet. Beam writes each shard under a temporary name and renames it. In the rows, a
string that may hold a file's name is JSON, because Beam's coders refuse names that are not UTF-8.
"""

import contextlib
import csv
import dataclasses
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow
from apache_beam.coders import BytesCoder
from apache_beam.io.filebasedsink import FileBasedSink
from apache_beam.io.filesystems import FileSystems
from pyarrow import parquet

from fanogan_tf import files
from fanogan_tf.archive.files import is_url
from fanogan_tf.detection import score_table
from fanogan_tf.errors import UserError
from fanogan_tf.oct import volume_scores

_ROWS_AT_ONCE = 1_000  # Size of the row groups that Parquet is written in; one is held in memory.
_TYPES = {
    **dict.fromkeys(("image", "class", "volume", "eye"), pyarrow.string()),
    **dict.fromkeys(("label", "anomalous"), pyarrow.int8()),
    **dict.fromkeys(("bscans", "left_out", "patches"), pyarrow.int32()),
    **dict.fromkeys(("score", "probability", "image_residual", "feature_residual", "latent_distance"), pyarrow.float32()),
    **dict.fromkeys(("score_mean", "score_max", "share_anomalous"), pyarrow.float64()),
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table's columns.

    Attributes:
      columns: their names, in order.
      as_fields: row -> its fields in CSV.
    """

    columns: tuple[str, ...]
    as_fields: Callable[[dict], dict]


SCORES = Table(score_table.COLUMNS, score_table.as_fields)
VOLUMES = Table(volume_scores.COLUMNS, volume_scores.as_fields)
UNREADABLE = Table(("image", "reason"), dict)
_JSON = ("image", "volume", "reason")


class CsvSink(FileBasedSink):
    """CSV shards `PREFIX-00000-of-00009.csv`. File names keep bytes that are not UTF-8."""

    def __init__(self, prefix: str, table: Table, **options):
        super().__init__(prefix, BytesCoder(), file_name_suffix=".csv", **options)
        self._table = table

    def open(self, temp_path: str) -> tuple[io.TextIOWrapper, csv.DictWriter]:
        text = io.TextIOWrapper(super().open(temp_path), newline="", encoding="utf-8", errors="surrogateescape")
        writer = csv.DictWriter(text, self._table.columns)
        writer.writeheader()
        return text, writer

    def write_record(self, file_handle: tuple[io.TextIOWrapper, csv.DictWriter], value: dict) -> None:
        file_handle[1].writerow(self._table.as_fields(_decoded(value)))

    def close(self, file_handle: tuple[io.TextIOWrapper, csv.DictWriter]) -> None:
        file_handle[0].close()


class ParquetSink(FileBasedSink):
    r"""Parquet shards `PREFIX-00000-of-00009.parquet`. Empty CSV fields are null; bytes that are not UTF-8 become `\xNN`."""

    def __init__(self, prefix: str, table: Table, **options):
        super().__init__(prefix, BytesCoder(), file_name_suffix=".parquet", **options)
        self._table = table

    def open(self, temp_path: str) -> "_ParquetShard":
        schema = pyarrow.schema([(name, _TYPES[name]) for name in self._table.columns])
        return _ParquetShard(super().open(temp_path), schema)

    def write_record(self, file_handle: "_ParquetShard", value: dict) -> None:
        file_handle.add(_decoded(value))

    def close(self, file_handle: "_ParquetShard") -> None:
        file_handle.close()


SINKS: dict[str, type[FileBasedSink]] = {"csv": CsvSink, "parquet": ParquetSink}


def _decoded(row: dict) -> dict:
    return row | {name: json.loads(row[name]) for name in _JSON if name in row}


class _ParquetShard:
    def __init__(self, handle, schema: pyarrow.Schema):
        self._handle = handle
        self._writer = parquet.ParquetWriter(handle, schema)
        self._schema = schema
        self._rows: list[dict] = []

    def add(self, row: dict) -> None:
        self._rows.append({name: _value(name, row[name]) for name in self._schema.names})
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._handle.close()

    def _flush(self) -> None:
        self._writer.write_table(pyarrow.Table.from_pylist(self._rows, self._schema))
        self._rows = []


def _value(name: str, value: str | bool | int | float) -> str | int | float | None:
    if isinstance(value, str):
        return os.fsencode(value).decode("utf-8", "backslashreplace")
    if isinstance(value, bool):
        return int(value)
    unknown = value < 0 if name == "label" else math.isnan(value)
    return None if unknown else value


_COUNTS = "counts"


class Output:
    """The output folder while workers write into it.

    Attributes:
      path: the folder of the shards.
      work: a folder below it that `finish` deletes.
      progress: a folder on this machine, for `workers.Ticker`.
      list: the file that lists the names of all files to score.
      counts_file: the file of the pipeline's counts.
    """

    def __init__(self, path: str, progress: Path):
        self.path = path
        self.work = f"{path}/work"
        self.progress = progress
        self.list = f"{self.work}/files.jsonl"
        self.counts_file = f"{self.work}/{_COUNTS}"

    def write_list(self, names: Iterable[str]) -> int:
        """Writes the names into `list`, one per line; returns their number."""
        FileSystems.mkdirs(self.work)
        count = 0
        with FileSystems.create(self.list) as file:
            for count, name in enumerate(names, 1):  # noqa: B007 - used after the loop
                file.write(json.dumps(name).encode("ascii") + b"\n")
        return count

    def counts(self) -> dict[str, int]:
        """Reads what the pipeline counted: name -> number."""
        with FileSystems.open(self.counts_file) as file:
            lines = file.read().decode("ascii").splitlines()
        return {name: int(number) for name, number in (line.split() for line in lines)}

    def finish(self, summary: dict) -> None:
        """Deletes `work`, then writes `summary.json`, the last file of the output."""
        FileSystems.delete([self.work])
        with FileSystems.create(f"{self.path}/summary.json", mime_type="application/json") as file:
            file.write(json.dumps(summary, indent=1).encode() + b"\n")


@contextlib.contextmanager
def opened(output: str) -> Iterator[Output]:
    """Opens a temporary folder that becomes `output` when the block ends without an error.

    Object stores cannot rename folders. Output at a URL is written in place, and complete once `summary.json` exists.

    Raises:
      UserError: `output` exists already, or cannot be written.
    """
    if not output:
        raise UserError("--output: name the folder to make for the scores")
    with contextlib.ExitStack() as stack:
        if is_url(output):
            path = output.rstrip("/")
            if FileSystems.match([f"{path}/**"])[0].metadata_list:
                raise UserError(f"--output={output}: is there already; give a new folder")
            yield Output(path, Path(stack.enter_context(tempfile.TemporaryDirectory())))
            return
        try:
            folder = stack.enter_context(files.new_folder(Path(output)))
        except FileExistsError as error:
            raise UserError(f"--output={output}: is there already; give a new folder") from error
        except OSError as error:
            raise UserError(f"--output={output}: cannot be written ({error.strerror}); give another folder") from error
        yield Output(str(folder.absolute()), Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))))
