"""The growth of time and memory with batch, image size and number of images: python benchmarks/growth.py

Times are interleaved in one process; each peak memory is measured in a process of its own. Random weights, synthetic images.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import command
import harness
import synthetic
import tensorflow as tf
import trainers

from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options

WHAT = "Seconds and peak memory of one critic update and of scoring PNG files, at growing sizes. Base width 16."
BATCHES = [{"side": 32, "batch": batch} for batch in (8, 16, 32, 64)]
SIDES = [{"side": side, "batch": 16} for side in (16, 32, 64)]
COUNTS = [250, 500, 1000]
DIM = 16


def critic_update(side: int, batch: int) -> Callable[[], object]:
    """Makes a function that updates the critic once, gradient penalty included."""
    gan = trainers.gan(Options(image_size=str(side), dim=DIM, latent_dim=32))
    images = tf.constant(synthetic.signed_noise(batch, side))
    update = tf.function(gan._update_critic)
    return lambda: update(images, gan.step, tf.constant(0))


def scored(paths: list[Path], side: int = 32) -> Callable[[], object]:
    """Makes a function that scores those files into a table."""
    spec = NetworkSpec((side, side, 1), DIM, latent_dim=32)
    detector = synthetic.detector(spec)
    table = paths[0].parent.parent / f"{len(paths)}.csv"
    return lambda: score_table.write(table, scoring.score_rows(detector, ImageStream(paths, spec.image_shape), batch_size=64))


def measure(**sizes) -> dict:
    """Measures the peak memory of one kind of work in this process, and the memory before it."""
    if "folder" in sizes:
        work = scored([Path(sizes["folder"], f"{i:06d}.png") for i in range(sizes["images"])])
    else:
        work = critic_update(**sizes)
    before = command.peak_memory_gb()
    for _ in range(2):
        work()
    return {"peak_memory_gb": command.peak_memory_gb(), "before_work_gb": before}


def critic_rows(points: list[dict], rounds: int) -> list[dict]:
    seconds = harness.interleaved({str(point): critic_update(**point) for point in points}, rounds)
    rows = []
    for point in points:
        per_image = median(seconds[str(point)]) / point["batch"]
        rows.append(
            {
                **point,
                "seconds": harness.summary(seconds[str(point)]),
                "milliseconds_per_image": round(1e3 * per_image, 3),
                "microseconds_per_pixel": round(1e6 * per_image / point["side"] ** 2, 3),
                **command.alone(**point),
            }
        )
    return rows


def scoring_rows(counts: list[int], rounds: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "images")
        paths = synthetic.write_pngs(folder, max(counts), side=32)
        seconds = harness.interleaved({str(count): scored(paths[:count]) for count in counts}, rounds, warm=1)
        return [
            {
                "images": count,
                "seconds": harness.summary(seconds[str(count)]),
                "milliseconds_per_image": round(1e3 * median(seconds[str(count)]) / count, 3),
                **command.alone(folder=str(folder), images=count),
            }
            for count in counts
        ]


def run(quick: bool) -> dict:
    rounds, most = (1, 1) if quick else (3, 4)
    return {
        "critic_update_by_batch": critic_rows(BATCHES[:most], rounds),
        "critic_update_by_image_size": critic_rows(SIDES[:most], rounds),
        "scoring_by_number_of_images": scoring_rows([20] if quick else COUNTS, min(rounds, 3)),
    }


if __name__ == "__main__":
    command.main("growth", WHAT, run, measure)
