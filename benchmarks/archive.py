"""Scoring an archive on Spark against a plain loop over the same SavedModel: python benchmarks/archive.py

Both read the same synthetic PNG files with the project's reader, in batches of 64, and write one CSV row per image. One file in a
hundred is damaged, and is to be listed. The networks are tiny, so the figures show the cost of Spark and not that of the model.
Every run is a process of its own. In one of them, a worker of the cluster is killed with all its processes in the middle.
"Warm" is what 80,000 more images cost: without the start.
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
from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export

WHAT = (
    "100,000 synthetic PNG files of 16x16, 1 % of them damaged, scored by a tiny SavedModel: on Spark, and by a plain loop. The "
    "seconds are of everything, start and loading included."
)
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
            try:
                batch.append((path.as_posix(), read_image(path)))
            except UserError:
                continue
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


def damage(images: Path) -> None:
    """Cuts off the second half of every hundredth file."""
    for path in sorted(images.iterdir())[::100]:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])


def column(name: str, *tables: Path) -> dict[str, str]:
    """Reads image -> what it has in the column. Raises AssertionError where an image has two rows."""
    found: dict[str, str] = {}
    for table in tables:
        with open(table, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["image"] in found:
                    raise AssertionError(f"{row['image']}: has two rows")
                found[row["image"]] = row[name]
    return found


def largest_difference(expected: dict[str, float], images: Path, output: Path) -> float:
    """Relative, between the loop's scores and Spark's. Raises AssertionError where not every file has one row."""
    scored = column("score", *(output / "scores").glob("part-*.csv"))
    unreadable = column("reason", *(output / "unreadable").glob("part-*.csv"))
    everything = {path.as_posix() for path in images.iterdir()}
    if expected.keys() != scored.keys() or everything - expected.keys() != unreadable.keys():
        raise AssertionError("Spark and the loop have not scored the same files")
    return max(abs(float(scored[name]) - score) / abs(score) for name, score in expected.items())


def run(quick: bool) -> dict:
    few, many, rounds = (400, 2_000, 1) if quick else (20_000, 100_000, 2)
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = str(export(synthetic.detector(NetworkSpec((SIDE, SIDE, 1), dim=2, latent_dim=4)), folder / "model"))
        sets = {count: folder / f"{count}" for count in (few, many)}
        for count, images in sets.items():
            synthetic.write_pngs(images, count, SIDE)
            damage(images)

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
        for form in forms:
            once(form, few)
        expected = {name: float(score) for name, score in column("score", outputs.pop(LOOP)).items()}
        differences = {form: largest_difference(expected, sets[many], output) for form, output in outputs.items()}
    start = {one["form"]: one["seconds"] for one in runs if one["images"] == few}
    more = {form: seconds[form] - start[form] for form in forms}
    return {
        "images_per_second": {form: round(many / best, 1) for form, best in seconds.items()},
        "times_as_fast_as_the_loop": {form: round(seconds[LOOP] / seconds[form], 3) for form in forms[1:]},
        "images_per_second_warm": {form: round((many - few) / more[form], 1) for form in forms},
        "times_as_fast_as_the_loop_warm": {form: round(more[LOOP] / more[form], 3) for form in forms[1:]},
        "peak_memory_of_a_worker_gb_by_images": {
            count: max(one["peak_memory_gb"] for one in runs if (one["form"], one["images"]) == (HERE, count)) for count in sets
        },
        "damaged": many - len(expected),
        "every_file_has_one_row_and_scores_differ_by_at_most": differences,
        "runs": runs,
    }


if __name__ == "__main__":
    command.main("archive", WHAT, run, measure)
