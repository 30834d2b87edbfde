"""The way through the house: images -> training -> detection -> evaluation. What the scripts tell, in order."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from fanogan_tf import files
from fanogan_tf.data import sources
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.data.oct import source as oct_source
from fanogan_tf.data.oct.preparation import PreparedVolume
from fanogan_tf.data.oct.volume import FLUID
from fanogan_tf.detection import kinds, score_table, scoring, volume_maps, volume_scores
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.maps import save_maps
from fanogan_tf.detection.volume_files import save_volume_maps
from fanogan_tf.detection.volume_scores import VolumeScores
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import report
from fanogan_tf.evaluation import visual_turing as turing
from fanogan_tf.evaluation.volumes import volume_metrics
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import distribution

_OCT_FACTS = ("patches", "oct_columns", "oct_height", "oct_surfaces", "oct_stride")
_PHANTOM_FACTS = ("phantom_test", "phantom_train_volumes", "phantom_validation_volumes", "phantom_test_volumes", "phantom_bscans")
# The settings that tell what the images are; of every other data set, the class that is normal.
_DATA_FACTS = {"folder": ("patches",), "oct": _OCT_FACTS, "oct_phantom": (*_PHANTOM_FACTS, *_OCT_FACTS)}


def train(run: RunDirectory, options: Options, phase: str, overwrite: bool) -> None:
    """Trains `options.method` in `run`: one of its phases, or "all". `overwrite`: delete the run that is there.

    Raises:
      UserError: the method has no such phase; the devices cannot share the work; or what its `check` and `train` raise.
    """
    method = METHODS[options.method]
    if phase not in (*method.PHASES, "all"):
        raise UserError(
            f"--phase={phase}: --method={options.method} has no such phase; it has {', '.join(method.PHASES)} (or all)"
        )
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    phases = method.PHASES if phase == "all" else (phase,)
    strategy = distribution.strategy(options.strategy, options.logical_devices)
    with distribution.together(strategy):
        with distribution.chief_first(strategy):
            # All that can be said against it is said before anything that is there is changed.
            distribution.check(strategy, options.batch_size, options.jit_compile)
            splits = sources.load(options, run.cache)
            method.check(run, options, splits, phases, overwrite)
            run.take(options, splits, overwrite)
        method.train(run, options, splits, phases)


def score(run: RunDirectory, options: Options, images: list[Path], output: Path, maps: str = "") -> int:
    """Scores the test split, or the files and folders in `images`, into the table `output`. Returns the number of images.

    The images of an OCT run are patches of volumes; the volumes' own scores go beside the table, as `NAME.volumes.csv`.

    `maps`: a folder for pixel maps, "" for none.
    """
    detector = kinds.load(run.detector, options.mixed_precision)
    if maps and not detector.RESTORES:
        raise UserError(f"--maps={maps}: --method={options.method} restores no images and so has no maps; leave it out")
    source, volumes, skipped = _to_be_scored(run, options, images, detector)
    batch_size = scoring.batch_size_for(options.score_batch_size)
    on_batch = {"on_batch": lambda batch, measured: save_maps(Path(maps), batch, measured)} if maps and not volumes else {}
    start = time.perf_counter()
    rows = scoring.score_rows(detector, source, batch_size, **on_batch)
    if volumes:
        tally = VolumeScores()
        count = score_table.write(output, tally.passing(rows))
        tally.write(output.with_suffix(".volumes.csv"), volumes)
    else:
        count = score_table.write(output, rows)
    seconds = time.perf_counter() - start
    if not images:
        timing = {"images": count, "seconds": round(seconds, 3), "images_per_second": round(count / seconds, 1)}
        with files.whole_file(run.timing) as temporary:
            temporary.write_text(json.dumps(timing), encoding="utf-8")
    elif skipped:
        print(f"skipped {len(skipped)} unreadable images: {', '.join(skipped[:5])}", file=sys.stderr)
    if maps and volumes:
        for volume, area_maps in zip(volumes, _area_maps(detector, volumes, options, "mapping"), strict=True):
            save_volume_maps(Path(maps), volume, volume.source.make().data, volume.in_scanner_geometry(area_maps))
    return count


def _to_be_scored(run: RunDirectory, options: Options, images: list[Path], detector: Detector) -> tuple:
    """What to score, the volumes that it is cut from (none: ()), and what gets skipped while it is read."""
    if images and options.dataset in sources.OCT:
        volumes, patches = oct_source.open_volumes(images, options, Path(options.oct_cache or run.cache))
        return patches, volumes, []  # What was skipped has been reported.
    if images:
        stream = ImageStream(images, detector.spec.image_shape, options.skip_unreadable)
        return stream, (), stream.skipped
    splits = sources.load(options, run.cache)
    run.check_data(splits)
    return splits.test, splits.test_volumes, []


def _area_maps(detector: Detector, volumes: Sequence[PreparedVolume], options: Options, doing: str) -> Iterator[np.ndarray]:
    """The maps of overlapping patches, volume by volume."""
    batch_size = scoring.batch_size_for(options.score_batch_size)
    for volume in tqdm(volumes, desc=doing, unit="volume"):
        yield volume_maps.area_maps(detector, volume, options.oct_stride, batch_size)


def evaluate(run: RunDirectory, options: Options) -> str:
    """Writes `run.report` from the scores; returns the line that sums it up."""
    table = score_table.read(run.scores)
    timing = json.loads(run.timing.read_text(encoding="utf-8")) if run.timing.is_file() else {}
    splits = sources.load(options, run.cache)
    run.check_data(splits)
    detector = kinds.load(run.detector)
    metrics = report.write_report(
        run.report,
        table,
        detector,
        splits.test,
        timing=timing,
        facts=_facts(options) | _training_times(run, options),
        note=_note(options),
        seed=options.seed,
        volumes=_volume_metrics(run, options, detector, splits.test_volumes),
    )
    auroc = "not defined, as the test images are not of both kinds" if metrics["auroc"] is None else f"{metrics['auroc']:.4f}"
    return f"AUROC {auroc}; report: {run.report / 'index.html'}"


def _volume_metrics(run: RunDirectory, options: Options, detector: Detector, volumes: Sequence[PreparedVolume]) -> dict | None:
    if not volumes or not detector.RESTORES:
        return None
    maps = _area_maps(detector, volumes, options, "measuring")
    return volume_metrics(volumes, maps, volume_scores.read(run.volume_scores), FLUID)


def visual_turing(run: RunDirectory, options: Options, folder: Path, count: int) -> str:
    """Writes sheet.png and key.csv of `count` held-out normal images and as many generated ones; returns what to print."""
    detector = kinds.load(run.detector)
    splits = sources.load(options, run.cache)
    run.check_data(splits)
    normal = splits.validation
    if splits.validation_volumes:  # Generated patches lie anywhere; on a grid, their place would give the real ones away.
        normal = oct_source.random_patches(splits.validation_volumes, normal.image_shape[:2], options.patches, options.seed)
    real, generated = turing.images(detector, normal, count, options.seed)
    turing.write(folder, *turing.sheet(real, generated, options.seed, _note(options)))
    return f"{2 * count} images: {folder / 'sheet.png'}; which are real: {folder / 'key.csv'}"


def _training_times(run: RunDirectory, options: Options) -> dict[str, str]:
    times = METHODS[options.method].training_seconds(run)
    return {f"training, {phase} phase": f"{seconds:.0f} s" for phase, seconds in times.items()}


def _note(options: Options) -> str:
    if options.dataset == "oct_phantom":
        return f"{options.method} on a synthetic phantom of retinal OCT, {options.phantom_test} test set"
    if options.dataset in ("folder", "oct"):
        return f"{options.method} on {Path(options.data_path).name}"
    return f"{options.method} on {options.dataset}, normal class {options.normal_class}"


def _facts(options: Options) -> dict[str, str]:
    """The settings that a reader of the report needs to know what its numbers are."""
    names = ["method", "dataset", *_DATA_FACTS.get(options.dataset, ("normal_class",)), "image_size", "dim", "latent_dim"]
    names += ["encoder_loss", "bound", "kappa", "batch_size", "iterations", "encoder_iterations", "seed", "split_seed"]
    names += ["threshold_rule", "false_positive_rate"]
    return {name: str(getattr(options, name)) for name in names}
