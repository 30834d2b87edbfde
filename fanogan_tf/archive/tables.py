"""The output of archive scoring: a folder of tables that appears complete or not at all, written by Spark.

All rows are written once, in the order of the work, into a folder beside the tables. The tables are made of those, so that they
agree with each other and with what was counted, however often Spark has repeated a task.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyarrow import fs
from pyspark.sql import DataFrame, SparkSession

from fanogan_tf import files
from fanogan_tf.archive import task
from fanogan_tf.archive.files import is_url, place
from fanogan_tf.detection import score_table
from fanogan_tf.detection.terms import FURTHER
from fanogan_tf.errors import UserError

_UNREADABLE = ("image", "reason")
_ROWS_PER_FILE = 1_000_000
# Quotes are doubled, as in every other CSV of this project.
_CSV: dict[str, bool | str] = {"header": True, "escape": '"', "emptyValue": ""}
_GLOB = re.compile(r"([\\{}\[\]*?])")


def score_columns(outputs: Sequence[str]) -> tuple[str, ...]:
    """The columns of a model's scores, as `fanogan score` has them."""
    further = [name for name in FURTHER if name in outputs]
    return (*score_table.COLUMNS, *further, *([score_table.SCREENED] if "certainly_normal" in outputs else []))


class Output:
    """The output while it is written. path: of a folder, or its URL."""

    def __init__(self, path: str):
        self._system, self._path = place(path)
        # For Hadoop: a path is of this machine whatever its file system is, and s3 is s3a.
        self._spark = re.sub("^s3://", "s3a://", path) if is_url(path) else f"file://{self._path}"

    def write_list(self, names: Iterator[str]) -> int:
        """Writes the names, as JSON; returns their number. None of them is kept in memory."""
        self._system.create_dir(f"{self._path}/work", recursive=True)
        count = 0
        with self._system.open_output_stream(f"{self._path}/work/files") as file:
            for count, name in enumerate(names, 1):  # noqa: B007 - used after the loop
                file.write(json.dumps(name).encode("ascii") + b"\n")
        return count

    def names(self, spark: SparkSession) -> DataFrame:
        """What `write_list` wrote, one a row."""
        return spark.read.text(self._to_read("files"))

    def write_tables(self, rows: DataFrame, columns: Sequence[str], volumes: Sequence[str], file_format: str) -> dict[str, int]:
        """Writes `rows`, then the tables scores, unreadable and, where there are `volumes`, volumes; returns rows by kind.

        columns, volumes: the columns of these two.
        """
        rows.write.parquet(f"{self._spark}/work/rows")
        written = rows.sparkSession.read.parquet(self._to_read("rows"))
        tables = {"scores": (task.IMAGE, columns), "unreadable": (task.UNREADABLE, _UNREADABLE)}
        if volumes:
            tables["volumes"] = (task.VOLUME, volumes)
        for table, (kind, names) in tables.items():
            writer = written.where(written.kind == kind).select(*names).write.option("maxRecordsPerFile", _ROWS_PER_FILE)
            # Reasons are for people.
            if file_format == "csv" or kind == task.UNREADABLE:
                writer.options(**_CSV).csv(f"{self._spark}/{table}")
            else:
                writer.parquet(f"{self._spark}/{table}")
        return {row["kind"]: row["count"] for row in written.groupBy("kind").count().collect()}

    def _to_read(self, name: str) -> str:
        """Of the work. Spark takes a path that it reads for a pattern."""
        return _GLOB.sub(r"\\\1", f"{self._spark}/work/{name}")

    def finish(self, summary: dict) -> None:
        """Deletes the work, then writes `summary.json`, the last file of the output."""
        self._system.delete_dir(f"{self._path}/work")
        with self._system.open_output_stream(f"{self._path}/summary.json") as file:
            file.write(json.dumps(summary, indent=1).encode() + b"\n")


@contextlib.contextmanager
def opened(output: str) -> Iterator[Output]:
    """Opens a temporary folder that becomes `output` when the block ends without an error.

    Object stores cannot rename folders. Output at a URL is written in place, deleted again where there is an error, and complete
    once `summary.json` exists.

    Raises:
      UserError: `output` exists already, or cannot be written.
    """
    if is_url(output):
        system, path = place(output)
        if system.get_file_info(path).type != fs.FileType.NotFound:
            raise UserError(f"--output={output}: is there already; give a new folder")
        try:
            yield Output(output.rstrip("/"))
        except BaseException:
            if system.get_file_info(path).type != fs.FileType.NotFound:
                system.delete_dir(path)
            raise
        return
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(files.new_folder(Path(output)))
        except FileExistsError as error:
            raise UserError(f"--output={output}: is there already; give a new folder") from error
        except OSError as error:
            raise UserError(f"--output={output}: cannot be written ({error.strerror}); give another folder") from error
        yield Output(str(folder))
