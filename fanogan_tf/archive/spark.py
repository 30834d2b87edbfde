"""Scoring of an archive by an exported model on Apache Spark: on this machine, or on any cluster."""

import contextlib
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from tqdm import tqdm

from fanogan_tf.archive import task
from fanogan_tf.archive.files import found
from fanogan_tf.archive.tables import opened, score_columns
from fanogan_tf.archive.task import TYPES, Work, loaded
from fanogan_tf.datasets import DATASETS
from fanogan_tf.detection.scoring import batch_size_for
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.serving import model_card

# Files of one task: some hundred small images are a second's work, a volume is several. A driver keeps ten thousands of tasks.
_IMAGES_A_TASK, _MOST_TASKS = 256, 20_000


def score_archive(
    folder: str,
    images: Sequence[str],
    output: str,
    file_format: str,
    options: Options,
    given: frozenset[str],
    master: str = "local[*]",
    settings: Mapping[str, str] | None = None,
) -> str:
    """Scores files and folders into a new folder; returns a line that sums it up.

    The new folder has the tables `scores/` and `unreadable/`, and `summary.json`. For a model of OCT volumes, `scores/` has the
    patches, and `volumes/` the volumes. The folder appears complete; at a URL, it is complete once `summary.json` exists.

    Args:
      folder: of an exported model, or its file; it, `images` and `output` are paths that mean the same on every worker, or URLs.
      images: files and folders.
      output: the new folder.
      file_format: csv or parquet, of the scores and volumes.
      options, given: see `option_flags.from_flags`.
      master, settings: see `session`.

    Raises:
      UserError: not a model of this project or one exported with other options, nothing to score, an output that exists already
        or cannot be written, or a cluster that has given up.
    """
    start = time.perf_counter()
    rate = options.false_positive_rate if "false_positive_rate" in given else None
    model = loaded(folder, rate, 0)
    options = model_card.options(model.card, model.path, options, given)
    if model.INPUTS != ("image",):
        raise UserError(f"--model={folder}: takes {', '.join(model.INPUTS)}, and an archive has images alone; use fanogan score")
    groups = DATASETS[options.dataset].groups
    if groups and (not options.patches or options.oct_images == "single"):
        raise UserError(f"--model={folder}: scores whole or single B-scans; score them with fanogan score --model")
    with opened(output) as made, session(master, settings or {}) as spark:
        total = made.write_list(found(images, groups))
        batch_size = batch_size_for(options.score_batch_size, model.image_shape)
        threads = int(spark.conf.get("spark.task.cpus", "1") or 1)
        work = Work(folder, rate, options, batch_size, threads)
        tasks = min(math.ceil(total / (1 if groups else _IMAGES_A_TASK)), _MOST_TASKS)
        schema = ", ".join(f"`{name}` {kind}" for name, kind in TYPES.items())
        silent = (spark.sparkContext.master or "").startswith("local")
        rows = made.names(spark).repartition(tasks).mapInArrow(_sent(work, silent), schema)
        tables = rows, score_columns(model.outputs), groups.COLUMNS if groups else (), file_format
        kinds = _watched(spark, lambda: made.write_tables(*tables), tasks, total)
        counts = {"patches" if groups else "images": kinds.get(task.IMAGE, 0), "unreadable": kinds.get(task.UNREADABLE, 0)}
        if groups:
            counts = {"volumes": kinds.get(task.VOLUME, 0), **counts}
        _check(counts, total)
        seconds = time.perf_counter() - start
        summary = {"files": total, **counts, "seconds": round(seconds, 3), "files_per_second": round(total / seconds, 1)}
        made.finish({"saved_model": folder, "format": file_format, **summary})
    told = ", ".join(f"{number} {name}" for name, number in {"files": total, **counts}.items())
    return f"{told}: {output}"


@contextlib.contextmanager
def session(master: str, settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """Spark's session: that which is there already, as in a notebook; or one of our own, which ends with the block.

    Args:
      master: Spark's, such as local[*] or spark://HOST:7077. Under spark-submit, which has its own --master, it is not looked at.
      settings: of Spark, name -> value.

    Raises:
      UserError: there is no Java, or what Spark could not do.
    """
    there = SparkSession.getActiveSession()
    try:
        spark = there or _started(master, settings)
    except (PySparkException, Py4JError) as error:
        raise UserError(
            f"--master={master}: Spark has not started ({_reason(error)}); check the address and its settings"
        ) from error
    try:
        yield spark
    except (PySparkException, Py4JError) as error:
        raise UserError(f"Spark has given up ({_reason(error)}); nothing was written") from error
    finally:
        if there is None:
            spark.stop()


def _started(master: str, settings: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder.appName("fanogan score_archive")
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # spark-submit has set the rest.
        need_java()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config("spark.ui.showConsoleProgress", False)
        quiet = f'"-Dlog4j2.configurationFile=file:{Path(__file__).with_name("log4j2.properties")}"'
        builder = builder.config("spark.driver.extraJavaOptions", quiet)
        if master.startswith("local"):
            # It listens to nobody else.
            builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
            builder = builder.config("spark.ui.enabled", False)
        builder = builder.master(repeating(master))
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def repeating(master: str) -> str:
    """A master that repeats the task of a worker that died; on one machine, Spark is told how often, as in local[2,4].

    Raises:
      UserError: no master that Spark knows.
    """
    if not re.match(r"(local(\[.*\])?|yarn|(spark|k8s)://.+)$", master):
        raise UserError(f"--master={master}: give local[CORES], spark://HOST:PORT, k8s://https://HOST:PORT or yarn")
    local = re.fullmatch(r"local(?:\[([^,]+)\])?", master)
    return f"local[{local[1] or 1},4]" if local else master


def _watched(spark: SparkSession, job: Callable[[], dict[str, int]], tasks: int, total: int) -> dict[str, int]:
    """Runs `job`, and shows how many of `total` files are done, by the share of its `tasks` that Spark has finished.

    It runs in a thread of its own: only a main thread that does not wait for Java can tell Spark of Ctrl-C, which then ends it.
    """
    tracker = spark.sparkContext.statusTracker()
    interval = 0.5 if sys.stderr.isatty() else 20.0  # In a log file a line now and then is enough.
    with tqdm(total=total, desc="scoring", unit="file") as bar, ThreadPoolExecutor(1) as thread:
        running = thread.submit(job)
        while not wait([running], interval).done:
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            done = [stage.numCompletedTasks for stage in stages if stage and stage.numTasks == tasks]
            bar.update(max(total * max(done, default=0) // tasks - bar.n, 0))
        counts = running.result()
        bar.update(total - bar.n)
    return counts


def _sent(work: Work, silent: bool) -> Callable[[Iterator], Iterator]:
    """`work` as Spark sends it. silent: its process shares the user's terminal, and does not greet or complain there.

    What ends a run is raised here, so it is not lost.
    """
    attributes = dict(vars(work))

    # Spark sends it as code, and `Work` by its name, which imports TensorFlow.
    def working(lists: Iterator) -> Iterator:
        if silent:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        from fanogan_tf.archive.task import Work

        return Work(**attributes)(lists)

    return working


def need_java() -> None:
    """Raises UserError if there is no Java where Spark looks for it."""
    home = os.environ.get("JAVA_HOME")
    if not (Path(home, "bin", "java").is_file() if home else shutil.which("java")):
        where = f"JAVA_HOME={home} has none" if home else "none is here"
        raise UserError(f"Spark needs Java 17 or newer, and {where}; apt-get install default-jre-headless brings one")


def _reason(error: Exception) -> str:
    """The one line that says most: why a task failed for the last time, or what the innermost error says, or else the first."""
    lines = [" ".join(line.split()).lstrip(": ") for line in str(error).splitlines() if line.strip()]
    failed = [line for line in lines if "most recent failure" in line]
    errors = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception): ", line)]
    return (errors[-1:] or failed or lines or [type(error).__name__])[0][:300]


def _check(counts: dict[str, int], total: int) -> None:
    scored = counts["volumes" if "volumes" in counts else "images"]
    if scored + counts["unreadable"] != total:
        added = f"{scored} scored and {counts['unreadable']} unreadable"
        raise UserError(f"{total} files, but {added}; nothing was written, run it again")
