"""Scoring an archive on Spark against a plain loop over the same SavedModel: python benchmarks/archive.py

Both read the same synthetic PNG files with the project's reader, in batches of 64, and write one CSV row per image. The networks
are tiny, so the figures show the cost of Spark and not that of the model. Every run is a process of its own. In one of them, a
worker of the cluster is killed, with all its processes, when about half of the time has passed.
"""

import contextlib
import csv
import tempfile
import threading
import time
from pathlib import Path

import command
import numpy as np
import spark_cluster
import synthetic

from fanogan_tf.archive.spark import score_archive
from fanogan_tf.data.decode import read_image, walk_images
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export

WHAT = "100,000 synthetic PNG files of 16x16 scored by a tiny SavedModel: on Spark, and by a plain loop."
SIDE, BATCH = 16, 64
COLUMNS = ("image", "score", "probability", "anomalous", "image_residual", "feature_residual", "latent_distance")
LOOP, HERE, CLUSTER, KILLED = "loop", "this machine", "two workers", "two workers, one of them killed"


def loop(model: Path, images: Path, output: Path) -> None:
    """Scores as one would without Spark: one file after the other, in batches."""
    served = saved_model.load(model)
    with open(output, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        batch: list[tuple[str, np.ndarray]] = []

        def write() -> None:
            outputs = served(np.stack([image for _, image in batch])[..., np.newaxis].astype(np.float32) / np.float32(257))
            columns = [outputs[name].tolist() for name in COLUMNS[1:]]
            writer.writerows(zip([name for name, _ in batch], *columns, strict=True))
            batch.clear()

        for path in walk_images(images):
            batch.append((path.as_posix(), read_image(path)))
            if len(batch) == BATCH:
                write()
        if batch:
            write()


class Workers(threading.Thread):
    """Watches the memory of Spark's Python workers while a block runs.

    peak_gb: the most that one of them has held.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_gb = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> "Workers":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(0.5):
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError, KeyError):  # It has ended in the meantime.
                    if b"pyspark.daemon" in (folder / "cmdline").read_bytes():
                        lines = (folder / "status").read_text(encoding="utf-8").splitlines()
                        status = dict(line.split(":", 1) for line in lines)
                        self.peak_gb = max(self.peak_gb, int(status["VmHWM"].removesuffix("kB")) * 1024 / 1e9)


def measure(form: str, model: str, images: str, output: str, kill_after: float = 0.0) -> dict:
    """Measures the seconds of one form, loading and the start of workers included, and the peak memory of a worker."""
    if form == LOOP:
        start = time.perf_counter()
        loop(Path(model), Path(images), Path(output))
        return {"seconds": round(time.perf_counter() - start, 2), "peak_memory_gb": command.peak_memory_gb()}
    with contextlib.ExitStack() as stack:
        master = "local[*]"
        if form != HERE:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            made = stack.enter_context(spark_cluster.cluster(folder))
            master = made.master
            if kill_after:
                timer = threading.Timer(kill_after, lambda: made.kill_worker_of(made.workers[0].pid))
                stack.callback(timer.cancel)
                timer.start()
        workers = stack.enter_context(Workers())
        start = time.perf_counter()
        score_archive(model, [images], output, "csv", Options(score_batch_size=BATCH), frozenset(), master)
        seconds = time.perf_counter() - start
        if kill_after and made.workers[0].poll() is None:
            raise AssertionError("the run has ended before its worker was killed")
    return {"seconds": round(seconds, 2), "peak_memory_gb": round(workers.peak_gb, 3)}


def scores_in(*tables: Path) -> dict[str, float]:
    """Reads image -> score. Raises AssertionError where an image has two rows."""
    scores: dict[str, float] = {}
    for table in tables:
        with open(table, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["image"] in scores:
                    raise AssertionError(f"{row['image']}: scored twice")
                scores[row["image"]] = float(row["score"])
    return scores


def largest_difference(expected: dict[str, float], output: Path) -> float:
    """Relative, between the loop's scores and Spark's. Raises AssertionError where not every image has one row."""
    scored = scores_in(*(output / "scores").glob("part-*.csv"))
    if expected.keys() != scored.keys():
        raise AssertionError("Spark and the loop have not scored the same files")
    return max(abs(scored[name] - score) / abs(score) for name, score in expected.items())


def run(quick: bool) -> dict:
    few, many, rounds = (400, 2_000, 1) if quick else (20_000, 100_000, 2)
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = str(export(synthetic.detector(NetworkSpec((SIDE, SIDE, 1), dim=2, latent_dim=4)), folder / "model"))
        sets = {count: folder / f"{count}" for count in (few, many)}
        for count, images in sets.items():
            synthetic.write_pngs(images, count, SIDE)

        def once(form: str, count: int, **more) -> Path:
            output = folder / f"{len(runs)}"
            measured = command.alone(form=form, model=model, images=str(sets[count]), output=str(output), **more)
            runs.append({"form": form, "images": count, **measured})
            return output

        forms = (LOOP, HERE, CLUSTER)
        outputs = {}
        for number in range(rounds):
            for form in forms[:: -1 if number % 2 else 1]:
                outputs[form] = once(form, many)
        seconds = {form: min(one["seconds"] for one in runs if one["form"] == form) for form in forms}
        outputs[KILLED] = once(KILLED, many, kill_after=seconds[CLUSTER] / 2)
        once(HERE, few)
        expected = scores_in(outputs.pop(LOOP))
        differences = {form: largest_difference(expected, output) for form, output in outputs.items()}
    return {
        "images_per_second": {form: round(many / best, 1) for form, best in seconds.items()},
        "times_as_fast_as_the_loop": {form: round(seconds[LOOP] / seconds[form], 3) for form in forms[1:]},
        "peak_memory_of_a_worker_gb_by_images": {
            count: max(one["peak_memory_gb"] for one in runs if (one["form"], one["images"]) == (HERE, count)) for count in sets
        },
        "every_image_has_one_row_and_scores_differ_by_at_most": differences,
        "runs": runs,
    }


if __name__ == "__main__":
    command.main("archive", WHAT, run, measure)
