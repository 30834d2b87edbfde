"""The way through the house, step by step as the commands tell it: images, training, detection, evaluation."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fanogan_tf import datasets, files, methods
from fanogan_tf.data import leaks
from fanogan_tf.data.grouping import group_finder
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.data.leaks import Leaks
from fanogan_tf.data.organ import FILM
from fanogan_tf.datasets import DATASETS
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.detection.detector import SETTINGS_FILE, Detector
from fanogan_tf.detection.maps import save_maps
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.distributed import cluster
from fanogan_tf.distributed.strategy import check, chief_first, make_strategy, together
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import diagnosis, measured, report, screening
from fanogan_tf.evaluation import visual_turing as turing
from fanogan_tf.evaluation.measured import Counting
from fanogan_tf.methods import METHODS
from fanogan_tf.networks.precision import chosen
from fanogan_tf.options import Options
from fanogan_tf.reading.results import Results
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.serving import export as serving_export
from fanogan_tf.serving import exported, model_card, saved_model
from fanogan_tf.serving.saved_model import ServedDetector
from fanogan_tf.training.calls import compiles


def train(run: RunDirectory, options: Options, phase: str, overwrite: bool) -> None:
    """Trains `options.method` in `run`: one of its phases, or "all". `overwrite`: delete the run that is there.

    Raises:
      UserError: the method has no such phase; the devices cannot share the work; or what its `check` and `train` raise.
    """
    # What auto comes to here is part of the run: a detector scores in the arithmetic that it was calibrated in.
    options = dataclasses.replace(options, mixed_precision=chosen(options.mixed_precision))
    method = METHODS[options.method]
    if phase not in (*method.PHASES, "all"):
        raise UserError(
            f"--phase={phase}: --method={options.method} has no such phase; it has {', '.join(method.PHASES)} (or all)"
        )
    if options.steps_per_call != "auto" and not (options.steps_per_call.isdecimal() and int(options.steps_per_call)):
        raise UserError(f"--steps_per_call={options.steps_per_call}: give auto, or a number from 1 on")
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    phases = method.PHASES if phase == "all" else (phase,)
    strategy = make_strategy(options.strategy, options.logical_devices)
    with together(strategy):
        with chief_first(strategy):
            # All that can be said against it is said before anything that is there is changed.
            check(strategy, options.batch_size, options.jit_compile == "true")
            splits = datasets.load(options, run.cache)
            method.check(run, options, splits, phases, overwrite)
            run.take(options, splits, overwrite)
            _check_leaks(run, options, splits)
            _say_device(options)
        method.train(run, options, splits, phases)


def _say_device(options: Options) -> None:
    """Prints what trains, in which arithmetic, and whether XLA compiles it."""
    gpus = tf.config.list_physical_devices("GPU")
    names = {tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus}
    arithmetic = "float32" if options.mixed_precision == "none" else options.mixed_precision
    compiled = "compiled by XLA" if compiles(options.jit_compile) else "not compiled"
    print(f"training on {', '.join(sorted(names)) or 'the CPU'}, in {arithmetic}, {compiled}", flush=True)


def _check_leaks(run: RunDirectory, options: Options, splits: Splits) -> None:
    """Looks once per run for images on two sides of the split, keeps what is found in `run.leaks`, and warns of it."""
    if not cluster.is_chief() or run.leaks.is_file():
        return
    found = leaks.find(splits, options.split_seed)
    found.save(run.leaks)
    _warn_of_leaks(run, found)


def _warn_of_leaks(run: RunDirectory, found: Leaks | None) -> None:
    for sentence in found.sentences() if found else ():
        print(f"warning: {sentence}; listed in {run.leaks}", file=sys.stderr)


def load(path: str | os.PathLike, precision: str = "") -> Detector | ServedDetector:
    """The detector of a run directory, or of a SavedModel that `fanogan export` wrote; both have `score(images)`.

    Args:
      path: the run, or the model's folder (its newest version is taken) or one version of it.
      precision: of a run, the arithmetic to score in: none (float32), bfloat16 or float16; "" is that of the training.

    Raises:
      UserError: neither is there.
    """
    run = RunDirectory(Path(path))
    if run.detector.is_dir():
        return methods.load_detector(run.detector, precision)
    if run.flags.is_file():
        raise UserError(f"{path}: this run is not trained to its end; run fanogan train --run_dir={path} first")
    if not Path(path).is_dir():
        raise UserError(f"{path}: no such folder; give a trained run, or a model that fanogan export wrote")
    return exported.load(Path(path))


def score(run: RunDirectory, options: Options, images: list[Path], output: Path, maps: str = "", dicom: str = "") -> int:
    """Scores the test split, or the files and folders in `images`, into the table `output`. Returns the number of images.

    The images of an OCT run are patches of volumes; the volumes' own scores go beside the table, as `NAME.volumes.csv`.

    `maps`: a folder for pixel maps, `dicom`: one for DICOM results of DICOM `images`; "" for none.
    """
    detector = methods.load_detector(run.detector, options.mixed_precision)
    _check_maps(detector, options, maps, dicom)
    if images:
        of = (detector.calibrated(), serving_export.sums(run.detector), options, detector.box)
        results = Results.of(Path(dicom), *of) if dicom else None
        return _score_named(detector, options, images, run.cache, output, maps, results)
    splits = datasets.load(options, run.cache)
    run.check_data(splits)
    counting = Counting()
    start = time.perf_counter()
    count = _score(detector, options, splits.test, splits.test_groups, output, maps, counting)
    seconds = time.perf_counter() - start - counting.seconds
    above = DATASETS[options.dataset].groups
    kept = Path(output).resolve() == run.scores.resolve()
    groups = above.measure(detector, splits.test_groups, options, output, maps) if above and (kept or maps) else None
    if kept:
        scored = splits.test, score_table.read(output), output, run.detector, counting
        measured.measure(detector, *scored, seed=options.seed, groups=groups, train=splits.train).save(run.measured)
    with files.whole_file(run.timing) as temporary:
        timing = {"images": count, "seconds": round(seconds, 3), "images_per_second": round(count / seconds, 1)}
        temporary.write_text(json.dumps(timing), encoding="utf-8")
    return count


def score_exported(
    folder: Path,
    options: Options,
    given: frozenset[str],
    images: list[Path],
    output: Path,
    maps: str = "",
    dicom: str = "",
) -> int:
    """`score` of files and folders by the SavedModel in `folder`; there is no run. `given`: see `option_flags.from_flags`.

    Raises:
      UserError: it is no model of ours; or it was exported with another value of a given option.
    """
    served = exported.load(folder, options.false_positive_rate if "false_positive_rate" in given else None)
    options = model_card.options(served.card, served.path, options, given)
    _check_maps(served, options, maps, dicom)
    results = Results.of_card(Path(dicom), served.card, served.path, options) if dicom else None
    return _score_named(served, options, images, output.parent / "cache", output, maps, results)


def _check_maps(detector: Detector | ServedDetector, options: Options, maps: str, dicom: str = "") -> None:
    """Raises UserError if maps are asked for, of images or, for DICOM results, of volumes, and there are none."""
    asked = f"--maps={maps}" if maps else f"--dicom={dicom}" if dicom and DATASETS[options.dataset].groups else ""
    if asked and not detector.RESTORES:
        raise UserError(f"{asked}: --method={options.method} restores no images and so has no maps; leave it out")


def _score_named(
    detector: Detector | ServedDetector,
    options: Options,
    images: list[Path],
    cache: Path,
    output: Path,
    maps: str,
    results: Results | None,
) -> int:
    """Scores what the user names; `cache` is for prepared volumes, unless the options have another place."""
    source, groups = _opened(detector, options, images, cache)
    above = DATASETS[options.dataset].groups if groups else None
    count = _score(detector, options, source, groups, output, maps, on_each=results.save if results and not above else None)
    if above and (maps or results):
        above.measure(detector, groups, options, output, maps, results.save_volume if results else None)
    if results:
        results.tell()
    _tell_left_out(source)
    return count


def _opened(
    detector: Detector | ServedDetector, options: Options, images: list[Path], cache: Path
) -> tuple[ImageSet | ImageStream, tuple]:
    """What a user names, and the groups that it is cut from.

    Raises:
      UserError: the detector's films were cut by masks, and these have none.
    """
    if options.region != "none" and not options.region_from:
        raise UserError(
            f"--images: the run's films were cut by masks (--region={options.region}), which these have not; train with "
            "--region_from, a run of fanogan lungs train"
        )
    return DATASETS[options.dataset].open(images, options, cache, detector.image_shape, detector.cut)


def _tell_left_out(source: ImageSet | ImageStream) -> None:
    if skipped := getattr(source, "skipped", ()):
        print(f"skipped {len(skipped)} unreadable images: {', '.join(skipped[:5])}", file=sys.stderr)
    unfit = getattr(source, "unfit", ())
    if unfit:
        print(f"warning: {len(unfit)} films are not scored: {', '.join(unfit[:5])}", file=sys.stderr)


def _score(
    detector: Detector | ServedDetector,
    options: Options,
    source,
    groups: tuple,
    output: Path,
    maps: str,
    counting: Counting | None = None,
    on_each: Callable[[dict, dict], None] | None = None,
) -> int:
    """Scores a source, and the groups (volumes) that it is cut from; () where there are none. Maps are those of images alone.

    on_each: called with each batch and what was said of it.
    """
    strange: list[str] = []

    def on_batch(batch: dict, judged: dict) -> None:
        if "region_found" in judged:
            strange.extend(batch["name"][~judged["region_found"]])
        if counting:
            counting.update(batch, judged)
        if on_each:
            on_each(batch, judged)
        if maps and not groups:
            save_maps(Path(maps), batch, judged)

    rows = scoring.score_rows(detector, source, scoring.batch_size_for(options.score_batch_size, detector.image_shape), on_batch)
    above = DATASETS[options.dataset].groups
    if above is None or not groups:
        count = score_table.write(output, rows)
        if strange:
            print(
                f"warning: no lungs, or strange ones, in {len(strange)} films, whose scores mean nothing: "
                f"{', '.join(strange[:5])}",
                file=sys.stderr,
            )
        return count
    return above.write_scores(rows, groups, output)


def evaluate(run: RunDirectory, options: Options, subgroups: Sequence[str] = (), prevalence: float = 0.05) -> str:
    """Writes `run.report` from the scores and what was kept with them; returns the line that sums it up.

    Runs no network, and needs no image.

    subgroups: rules by which the report parts the test images, see `grouping.group_finder`.
    prevalence: share of diseased images where a filter of certainly normal ones would be used.
    """
    table = score_table.read(run.scores)
    kept = measured.load(run.measured, run.scores, run.detector)
    timing = json.loads(run.timing.read_text(encoding="utf-8")) if run.timing.is_file() else {}
    facts = _facts(options) | _threshold(run, options) | _training_times(run, options)
    found = leaks.load(run.leaks) if run.leaks.is_file() else None
    columns = {rule.rpartition(":")[2]: _groups_of(table, rule, options) for rule in subgroups}
    _warn_of_leaks(run, found)
    values = report.write_report(
        run.report,
        table,
        kept,
        timing=timing,
        facts=facts,
        note=_note(options),
        leaks=found,
        columns=columns,
        seed=options.seed,
        prevalence=prevalence,
        verdicts=diagnosis.load(run.doctor),
    )
    auroc = "not defined, as the test images are not of both kinds" if values["auroc"] is None else f"{values['auroc']:.4f}"
    return f"AUROC {auroc}; report: {run.report / 'index.html'}"


def screen(run: RunDirectory, options: Options, diseased: list[Path], sensitivity: float) -> str:
    """Sets the run's filter of certainly normal images by diseased images for development; returns what to print.

    Raises:
      UserError: what `screening.filter_for` raises.
    """
    detector = methods.load_detector(run.detector, options.mixed_precision)
    source, _ = _opened(detector, options, diseased, run.cache)
    rows = list(scoring.score_rows(detector, source, scoring.batch_size_for(options.score_batch_size, detector.image_shape)))
    _tell_left_out(source)
    cut, missed = screening.filter_for(np.array([row["score"] for row in rows]), sensitivity)
    detector.calibration = dataclasses.replace(detector.calibrated(), filter=cut)
    detector.save(run.detector)
    below = float(detector.calibrated().probability(np.array([cut]))[0])
    return (
        f"certainly normal: scores below {cut:.6g}, as {below:.1%} of normal images have; {missed} of {len(rows)} "
        f"diseased images for development lie below, so the sensitivity is at least {sensitivity:g} (one-sided 95 % bound)\n"
        f"next: fanogan score --run_dir={run.path}, then evaluate"
    )


def _groups_of(table: ScoreTable, rule: str, options: Options) -> np.ndarray:
    group = group_finder(rule, Path(options.data_path or "."), "--subgroups")
    return np.array([group(str(name)) for name in table.image])


def visual_turing(run: RunDirectory, options: Options, folder: Path, count: int) -> str:
    """Writes sheet.png and key.csv of `count` held-out normal images and as many generated ones; returns what to print."""
    detector = methods.load_detector(run.detector)
    splits = datasets.load(options, run.cache)
    run.check_data(splits)
    normal = splits.validation
    above = DATASETS[options.dataset].groups
    if above and splits.validation_groups:
        normal = above.anywhere(splits.validation_groups, normal.image_shape[:2], options)
    real, generated = turing.images(detector, normal, count, options.seed)
    turing.write(folder, *turing.sheet(real, generated, options.seed, _note(options)))
    return f"{2 * count} images: {folder / 'sheet.png'}; which are real: {folder / 'key.csv'}"


def export(run: RunDirectory, options: Options, output: Path, version: int, **how: str) -> Path:
    """Writes the run's detector, and returns where; see `exported.write`, which takes `how`."""
    detector = methods.load_detector(run.detector, options.mixed_precision)
    return exported.write(detector, output, model_card.describe(run, options, detector), version, **how)


def verify_export(run: RunDirectory, options: Options, folder: Path) -> str:
    """Scores the test split with the run and with the SavedModel in `folder`; returns the line that compares them.

    Raises:
      UserError: the scores differ by more than `verification.TOLERANCE`.
    """
    served = exported.load(folder)
    detector = methods.load_detector(run.detector, options.mixed_precision)
    splits = datasets.load(options, run.cache)
    run.check_data(splits)
    sent = None
    if detector.front is not None:
        # It cuts films itself: those of the same names, whole, are sent to it.
        whole = dataclasses.replace(options, region="none", region_from="", image_size=str(FILM))
        films = datasets.load(whole, run.cache / "films").test
        place = {name: row for row, name in enumerate(films.names.tolist())}
        sent = films.take([place[name] for name in splits.test.names.tolist()])
    return saved_model.compare(
        detector, served, splits.test, scoring.batch_size_for(options.score_batch_size, detector.image_shape), sent
    )


def _threshold(run: RunDirectory, options: Options) -> dict[str, str]:
    """What the threshold rests on."""
    settings = json.loads((run.detector / SETTINGS_FILE).read_text(encoding="utf-8"))
    calibration = Calibration.from_json(settings["calibration"])
    facts = {"score": settings.get("scored_by", "paper")}
    if calibration.normals:
        facts["held-out normal images"] = f"{calibration.normals:,}"
    if calibration.normals and options.threshold_rule == "quantile":
        low, high = calibration.rate_interval(options.false_positive_rate)
        facts["normal images called anomalous, 95 % interval"] = f"{100 * low:.1f} to {100 * high:.1f} %"
    return facts


def _training_times(run: RunDirectory, options: Options) -> dict[str, str]:
    return {f"training, {phase} phase": f"{s:.0f} s" for phase, s in METHODS[options.method].training_seconds(run).items()}


def _note(options: Options) -> str:
    return f"{options.method} on {datasets.describe(options)}"


def _facts(options: Options) -> dict[str, str]:
    """The settings that a reader of the report needs to know what its numbers are."""
    first, last = (
        {name: getattr(options, name) for name in names}
        for names in (("method", "dataset"), ("seed", "split_seed", "threshold_rule", "false_positive_rate"))
    )
    images = datasets.facts(options) | {name: getattr(options, name) for name in ("image_size", "standardise", "sharpness")}
    return {name: str(value) for name, value in (first | images | methods.settings(options) | last).items()}


def unread(options: Options, given: frozenset[str]) -> dict[str, list[str]]:
    """Names of the given options that mean nothing here, by who does not read them: `--method=...`, `--dataset=...`."""
    readers = {
        f"--method={options.method}": METHODS[options.method].unread(given),
        f"--dataset={options.dataset}": datasets.unread(options, given),
    }
    return {reader: names for reader, names in readers.items() if names}
