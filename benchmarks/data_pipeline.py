"""The input pipeline against the training and scoring that consume its images: python benchmarks/data_pipeline.py

Both are timed in the same run. Networks as in flags/; synthetic images.
"""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import command
import harness
import numpy as np
import synthetic
import tensorflow as tf
import trainers

from fanogan_tf.data.feed import Feed
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.detection import scoring

WHAT = "Seconds that the input pipeline alone needs for one training iteration or one image, beside what consumes it."
# The step of 64x64 is timed at a smaller batch: at its own, 64, it takes about a minute on two cores.
TRAINING = {"mnist": {"stored": 60_000, "step_batch": 32}, "paper_64x64": {"stored": 20_000, "step_batch": 16}}
DRAWS = 100  # Batches per timing: many more than the four that may be prefetched.


def training(name: str, stored: int, step_batch: int, quick: bool) -> dict:
    """Times the batches for one GAN iteration of flags/<name>.flags, and that iteration."""
    options = trainers.flagfile(name)
    if quick:
        options = dataclasses.replace(options, dim=4, latent_dim=4, batch_size=2)
        stored, step_batch = 100, 2
    batch = options.n_critic * options.batch_size
    side = int(options.image_size)
    with tempfile.TemporaryDirectory() as folder:
        images = synthetic.noise(stored, side)
        np.save(Path(folder, "images.npy"), images)
        sources = {"memory": images, "memory_map": np.load(Path(folder, "images.npy"), mmap_mode="r")}
        forms = {
            f"{source}{'_flipped' * flip}": functools.partial(draw, batches(synthetic.image_set(stored_in), batch, flip))
            for source, stored_in in sources.items()
            for flip in (False, True)
        }
        drawing = {form: [t / DRAWS for t in times] for form, times in harness.interleaved(forms, rounds=5, warm=1).items()}
    step = trainers.compiled(trainers.gan(options))
    some = tf.constant(synthetic.signed_noise(options.n_critic * step_batch, side))
    rounds = 2 if step_batch < options.batch_size else 5
    stepping = harness.interleaved({"step": lambda: step(some)}, rounds, warm=1)["step"]
    return {
        "images_stored": stored,
        "images_per_iteration": batch,
        "pipeline_seconds_per_iteration": {form: harness.summary(times) for form, times in drawing.items()},
        "pipeline_batches_per_second": {form: round(1 / median(times), 1) for form, times in drawing.items()},
        "step_batch": step_batch,
        "step_seconds": harness.summary(stepping),
        "steps_per_second": round(1 / median(stepping), 4),
        # If the step is timed at a smaller batch, its time is too short, and the true share is even smaller.
        "share_of_step": {form: share(drawing[form], stepping) for form in forms},
        "share_is_upper_bound": step_batch < options.batch_size,
    }


def batches(images: ImageSet, batch: int, flip: bool) -> Iterator[tf.Tensor]:
    return iter(Feed(images, batch, seed=0, random_flip=flip)())


def draw(source: Iterator[tf.Tensor]) -> None:
    for _ in range(DRAWS):
        next(source)


def decoding(name: str, count: int, quick: bool) -> dict:
    """Times reading PNG files, and scoring the same ones."""
    options = trainers.flagfile(name)
    if quick:
        options, count = dataclasses.replace(options, dim=4, latent_dim=4), 8
    spec = trainers.spec(options)
    detector = synthetic.detector(spec, options.kappa)
    with tempfile.TemporaryDirectory() as folder:
        paths = synthetic.write_pngs(Path(folder, "images"), count, int(options.image_size))
        seconds = harness.interleaved(
            {
                "decode": lambda: exhaust(ImageStream(paths, spec.image_shape).batches(scoring.batch_size_for(0))),
                "score": lambda: exhaust(
                    scoring.score_rows(detector, ImageStream(paths, spec.image_shape), scoring.batch_size_for(0))
                ),
            },
            rounds=3,
            warm=1,
        )
    return {
        "images": count,
        "images_per_second": {form: round(count / median(times), 1) for form, times in seconds.items()},
        "share_of_scoring": share(seconds["decode"], seconds["score"]),
    }


def exhaust(items: Iterator) -> None:
    for _ in items:
        pass


def share(part: list[float], whole: list[float]) -> float:
    """Divides the median of `part` by that of `whole`."""
    return round(median(part) / median(whole), 6)


def run(quick: bool) -> dict:
    return {
        "training": {name: training(name, **sizes, quick=quick) for name, sizes in TRAINING.items()},
        "scoring": {name: decoding(name, count, quick) for name, count in {"mnist": 2_000, "paper_64x64": 128}.items()},
    }


if __name__ == "__main__":
    command.main("data_pipeline", WHAT, run)
