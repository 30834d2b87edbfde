"""The way through the house: images -> training -> detection -> evaluation. What the scripts tell, in order."""

import json
import sys
import time
from pathlib import Path

import tensorflow as tf

from fanogan_tf import files
from fanogan_tf.data import sources
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.maps import save_maps
from fanogan_tf.evaluation import report
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


def train(run: RunDirectory, options: Options, phase: str, overwrite: bool) -> None:
    """Trains `options.method` in `run`: one of its phases, or "all". `overwrite`: delete the run that is there."""
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    method = METHODS[options.method]
    phases = method.PHASES if phase == "all" else (phase,)
    splits = sources.load(options, run.cache)
    # All that can be said against it is said before anything that is there is changed.
    method.check(run, options, splits, phases, overwrite)
    run.take(options, splits, overwrite)
    method.train(run, options, splits, phases)


def score(run: RunDirectory, options: Options, images: list[Path], output: Path, maps: str = "") -> int:
    """Scores the test split, or the files and folders in `images`, into the table `output`. Returns the number of images.

    `maps`: a folder for pixel maps, "" for none.
    """
    detector = Detector.load(run.detector, options.mixed_precision)
    if images:
        source = ImageStream(images, detector.spec.image_shape, options.skip_unreadable)
    else:
        splits = sources.load(options, run.cache)
        run.check_data(splits)
        source = splits.test
    on_batch = {"on_batch": lambda batch, measured: save_maps(Path(maps), batch, measured)} if maps else {}
    start = time.perf_counter()
    batch_size = scoring.batch_size_for(options.score_batch_size)
    count = score_table.write(output, scoring.score_rows(detector, source, batch_size, **on_batch))
    seconds = time.perf_counter() - start
    if not images:
        timing = {"images": count, "seconds": round(seconds, 3), "images_per_second": round(count / seconds, 1)}
        with files.whole_file(run.timing) as temporary:
            temporary.write_text(json.dumps(timing), encoding="utf-8")
    elif source.skipped:
        print(f"skipped {len(source.skipped)} unreadable images: {', '.join(source.skipped[:5])}", file=sys.stderr)
    return count


def evaluate(run: RunDirectory, options: Options) -> str:
    """Writes `run.report` from the scores; returns the line that sums it up."""
    table = score_table.read(run.scores)
    timing = json.loads(run.timing.read_text(encoding="utf-8")) if run.timing.is_file() else {}
    splits = sources.load(options, run.cache)
    run.check_data(splits)
    metrics = report.write_report(
        run.report,
        table,
        Detector.load(run.detector),
        splits.test,
        timing=timing,
        facts=_facts(options) | _training_times(run, options),
        note=_note(options),
        seed=options.seed,
    )
    auroc = "not defined, as the test images are not of both kinds" if metrics["auroc"] is None else f"{metrics['auroc']:.4f}"
    return f"AUROC {auroc}; report: {run.report / 'index.html'}"


def _training_times(run: RunDirectory, options: Options) -> dict[str, str]:
    times = METHODS[options.method].training_seconds(run)
    return {f"training, {phase} phase": f"{seconds:.0f} s" for phase, seconds in times.items()}


def _note(options: Options) -> str:
    if options.dataset == "folder":
        return f"{options.method} on {Path(options.data_path).name}"
    return f"{options.method} on {options.dataset}, normal class {options.normal_class}"


def _facts(options: Options) -> dict[str, str]:
    """The settings that a reader of the report needs to know what its numbers are."""
    names = (
        "method",
        "dataset",
        "normal_class",
        "image_size",
        "dim",
        "latent_dim",
        "encoder_loss",
        "bound",
        "kappa",
        "batch_size",
    )
    names += ("iterations", "encoder_iterations", "seed", "split_seed", "threshold_rule", "false_positive_rate")
    return {name: str(getattr(options, name)) for name in names}
