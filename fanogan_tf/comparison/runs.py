"""The runs of a comparison: one for every variant, seed and class, trained and scored once, and their outcomes.

`plan` lists the runs, `train_and_score` finishes those that are not finished, `outcomes` reads the finished ones.
"""

import dataclasses
import functools
import gc
import json
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from fanogan_tf import pipeline
from fanogan_tf.comparison.variants import VARIANTS, Variant, chosen, options_of
from fanogan_tf.datasets import DATASETS
from fanogan_tf.detection import score_table
from fanogan_tf.detection.detector import SETTINGS_FILE
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation.metrics import UNKNOWN, at_threshold, youden_threshold
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options, names
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.checkpointing import checkpoints_in, saved_step


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of the comparison.

    Attributes:
      protocol: "normal 5", "anomalous 5", or "" where the data have no classes.
      variant: the detector to train.
      seed: of this run.
      run: its run directory.
      options: its options.
      gan: the run whose GAN it takes; None where it trains its own, or has no GAN.
    """

    protocol: str
    variant: Variant
    seed: int
    run: RunDirectory
    options: Options
    gan: "Job | None"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.protocol, f"seed {self.seed}", self.variant.title)))


def plan(root: Path, options: Options, methods: list[str], seeds: int, searched_images: int) -> list[Job]:
    """Lists all runs, in the order in which to train them.

    Args:
      root: the folder of the run directories, which are called PROTOCOL/seed_N/VARIANT.
      options: normal_class or anomalous_class may be `all`, or several classes separated by commas.
      methods: names of variants; all for an empty list.
      seeds: the number of seeds, counted from `options.seed`.
      searched_images: see `variants.options_of`.

    Raises:
      UserError: no such method; classes of a data set that has no classes; or several processes are asked for.
    """
    if options.strategy == "multi_worker":
        raise UserError("--strategy=multi_worker: a comparison is trained by one process; take none or mirrored")
    variants = chosen(methods)
    return [
        _job(Path(root), protocol, variant, of_class, seed, searched_images)
        for protocol, of_class in _protocols(options)
        for seed in range(options.seed, options.seed + seeds)
        for variant in variants
    ]


def _job(root: Path, protocol: str, variant: Variant, options: Options, seed: int, searched_images: int) -> Job:
    gan = _job(root, protocol, VARIANTS[variant.gan], options, seed, searched_images) if variant.gan else None
    own = options_of(variant, options, seed, searched_images)
    if gan:
        own = dataclasses.replace(own, gan_from=str(gan.run.path.absolute()))
    folder = root / protocol.replace(" ", "_").replace("/", "-") / f"seed_{seed}" / variant.name
    return Job(protocol, variant, seed, RunDirectory(folder, cache=root / "cache"), own, gan)


def _protocols(options: Options) -> list[tuple[str, Options]]:
    """Takes each class in turn as the normal one, or as the anomalous one: the protocol's name and its options."""
    kind, asked = ("anomalous", options.anomalous_class) if options.anomalous_class else ("normal", options.normal_class)
    asked = asked.strip()
    classes = DATASETS[options.dataset].classes
    if not classes:
        if options.anomalous_class or asked == "all" or "," in asked:
            raise UserError(f"--{kind}_class={asked}: --dataset={options.dataset} has no classes to take in turn; leave it out")
        return [("", options)]
    names = [str(i) for i in range(len(classes))] if asked == "all" else [name.strip() for name in asked.split(",")]
    if kind == "anomalous":
        return [(f"anomalous {name}", dataclasses.replace(options, anomalous_class=name)) for name in names]
    return [(f"normal {name}", dataclasses.replace(options, normal_class=name)) for name in names]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The scores of one finished run.

    Attributes:
      job: the run.
      table: its scores.
      training_seconds: of all phases, those of a GAN taken from another run included.
      images_per_second: speed of the scoring.
    """

    job: Job
    table: ScoreTable
    training_seconds: float
    images_per_second: float

    @functools.cached_property
    def known(self) -> np.ndarray:
        """(N,) bool: the images whose label is known."""
        return self.table.label != UNKNOWN

    def scores(self, kappa: float | None = None) -> np.ndarray:
        """Returns (N,) the score as the method's paper has it; with `kappa`, A_R + kappa A_D of its residuals."""
        if kappa is None:
            return self.table.further.get("paper_score", self.table.score)
        return self.table.image_residual + kappa * self.table.feature_residual

    @property
    def robust(self) -> np.ndarray | None:
        """(N,) the robust scores; None where the method has no critic."""
        return self.table.further.get("robust_score")

    def at_youden(self, kappa: float | None = None) -> dict[str, float | None]:
        """Measures precision, sensitivity, specificity and f_score at the Youden index, and auroc, on images of known label."""
        labels, scores = self.table.label[self.known], self.scores(kappa)[self.known]
        figures = at_threshold(labels, scores, youden_threshold(labels, scores))
        return figures | {"auroc": float(roc_auc_score(labels, scores))}

    def auroc(self, scores: np.ndarray, names: np.ndarray | None = None) -> float:
        """Computes the AUROC of (N,) `scores`, on the images `names` only where given."""
        rows = self.known if names is None else self.known & np.isin(self.table.image, names)
        return float(roc_auc_score(self.table.label[rows], scores[rows]))


def outcomes(jobs: list[Job]) -> list[Outcome]:
    """Reads the outcomes of all finished jobs."""
    return [_outcome(job) for job in jobs if is_scored(job)]


def _outcome(job: Job) -> Outcome:
    timing = json.loads(job.run.timing.read_text(encoding="utf-8"))
    seconds = METHODS[job.options.method].training_seconds(job.run)
    return Outcome(job, score_table.read(job.run.scores), sum(seconds.values()), timing["images_per_second"])


_NAMES = frozenset(field.name for field in dataclasses.fields(Options))


def train_and_score(jobs: list[Job]) -> None:
    """Trains and scores every unfinished job, one after the other. After an interruption, the same call resumes.

    Raises:
      UserError: a run directory holds a run with other settings; and the errors of training and scoring.
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
        # Otherwise dozens of networks and their graphs stay in memory.
        keras.backend.clear_session()
        gc.collect()


def is_trained(job: Job) -> bool:
    """Tells whether the detector of the job's options is trained."""
    if not (job.run.detector / SETTINGS_FILE).is_file():
        return False
    kept = job.run.kept_options()
    return dataclasses.replace(kept, **{name: getattr(job.options, name) for name in names("running")}) == job.options


def is_scored(job: Job) -> bool:
    """Tells whether that detector's test images are scored."""
    detector, scores = job.run.detector / SETTINGS_FILE, job.run.scores
    if not is_trained(job) or not scores.is_file() or not job.run.measured.is_dir():
        return False
    return scores.stat().st_mtime >= detector.stat().st_mtime


def _has_gan(job: Job) -> bool:
    return saved_step(checkpoints_in(job.run.gan)) >= job.options.iterations


def _train(job: Job, phase: str) -> None:
    with job.run.locked():
        options = job.run.begin(job.options, _NAMES, overwrite=False)
        pipeline.train(job.run, options, phase, overwrite=False)
