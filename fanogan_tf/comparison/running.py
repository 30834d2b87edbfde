"""Trains and scores the runs of a comparison that are not there yet; broken off, the same call goes on."""

import dataclasses
import gc

import keras

from fanogan_tf import pipeline
from fanogan_tf.comparison.plan import Job
from fanogan_tf.detection.detector import SETTINGS_FILE
from fanogan_tf.methods.gan_from import kept_options
from fanogan_tf.options import Options
from fanogan_tf.training.checkpointing import saved_step

_NAMES = frozenset(field.name for field in dataclasses.fields(Options))
# What a run shows, keeps and uses on its way, and nothing of what comes out.
_BY_THE_WAY = (
    *("checkpoint_every", "log_every", "sample_every", "score_batch_size", "skip_unreadable", "oct_cache"),
    *("jit_compile", "strategy", "logical_devices"),
)


def train_and_score(jobs: list[Job]) -> None:
    """Brings every job to its scores, one after the other.

    Raises:
      UserError: a run directory holds a run with other settings; or what training and scoring raise.
    """
    for number, job in enumerate(jobs, start=1):
        if is_scored(job):
            continue
        print(f"[{number}/{len(jobs)}] {job}", flush=True)
        if job.gan and not _has_gan(job.gan):
            _train(job.gan, "gan")
        if not is_trained(job):
            _train(job, "all")
        with job.run.locked():
            pipeline.score(job.run, job.options, images=[], output=job.run.scores)
        # Dozens of networks and their graphs would stay in memory.
        keras.backend.clear_session()
        gc.collect()


def is_trained(job: Job) -> bool:
    """Whether the detector that the job's options ask for is there."""
    if not (job.run.detector / SETTINGS_FILE).is_file():
        return False
    kept = kept_options(job.run)
    return dataclasses.replace(kept, **{name: getattr(job.options, name) for name in _BY_THE_WAY}) == job.options


def is_scored(job: Job) -> bool:
    """Whether that detector's scores are there."""
    detector, scores = job.run.detector / SETTINGS_FILE, job.run.scores
    return is_trained(job) and scores.is_file() and scores.stat().st_mtime >= detector.stat().st_mtime


def _has_gan(job: Job) -> bool:
    return saved_step(job.run.gan / "checkpoints") >= job.options.iterations


def _train(job: Job, phase: str) -> None:
    with job.run.locked():
        options = job.run.begin(job.options, _NAMES, overwrite=False)
        pipeline.train(job.run, options, phase, overwrite=False)
