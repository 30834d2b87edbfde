"""The figures of a comparison: ROC curves and score distributions in one picture, and what each method restores.

Residuals of the runs against the masks of their test images, counted once and kept.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.figure import Figure

from fanogan_tf import datasets, methods
from fanogan_tf.comparison.runs import Outcome
from fanogan_tf.comparison.variants import TABLE_1, TABLE_2, TABLE_A1, VARIANTS
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.evaluation import measured
from fanogan_tf.evaluation.figures import distributions, image_rows
from fanogan_tf.evaluation.figures.curves import pixel_roc_overlay, roc_overlay
from fanogan_tf.evaluation.metrics import ANOMALOUS, NORMAL
from fanogan_tf.random_streams import Stream

_PER_KIND = 5  # images restored, of normal and of anomalous ones


def draw(outcomes: list[Outcome], counted: dict[str, list[dict]], note: str) -> Iterator[tuple[str, Figure]]:
    """Yields file name (without .png) and figure. Of several seeds the first is drawn.

    counted: what `pixels.count` says.
    """
    first = min(outcome.job.seed for outcome in outcomes)
    of_first = {outcome.job.variant.name: outcome for outcome in outcomes if outcome.job.seed == first}
    note = f"{note}; seed {first}"
    compared = {name: of_first[name] for name in TABLE_1 if name in of_first}
    losses = {name: of_first[name] for name in (*TABLE_2, *TABLE_A1) if name in of_first}
    for names, ending in ((compared, ""), (losses, "_encoder_losses")):
        if len(names) < 2:
            continue
        scores = {_title(name): (o.table.label[o.known], o.table.score[o.known]) for name, o in names.items()}
        yield f"roc{ending}", roc_overlay(scores, note)
        yield f"scores{ending}", distributions.score_grid(scores, note)
        if figure := _restorations(names, note):
            yield f"restorations{ending}", figure
    if counted:
        curves = {_title(name): (*np.array(results[0]["roc"]), results[0]["auroc"]) for name, results in counted.items()}
        yield "pixel_roc", pixel_roc_overlay(curves, note)


def _title(name: str) -> str:
    return VARIANTS[name].title if name in TABLE_1 else name.replace("_linear", ", linear").replace("fanogan", "izi_f")


def _restorations(outcomes: dict[str, Outcome], note: str) -> Figure | None:
    """The same images restored by every method that restores any."""
    detectors = {name: methods.load_detector(outcome.job.run.detector) for name, outcome in outcomes.items()}
    detectors = {name: detector for name, detector in detectors.items() if detector.RESTORES}
    if not detectors:
        return None
    job = next(iter(outcomes.values())).job
    test = _some(datasets.load(job.options, job.run.cache).test, job.seed)
    everything = np.arange(len(test))
    images = next(iter(detectors.values())).shown(test.float_images(everything))
    restored = {
        _title(name): detector.measure(*test.inputs(everything, detector.INPUTS))["reconstruction"]
        for name, detector in detectors.items()
    }
    return image_rows.restorations(
        images, test.class_names.tolist(), restored, note, None if test.masks is None else np.asarray(test.masks[everything])
    )


def _some(test: ImageSet, seed: int) -> ImageSet:
    """A few normal and a few anomalous images at random."""
    random = np.random.default_rng([seed, Stream.RESTORED_IMAGES])
    kinds_of = (np.flatnonzero(test.labels == label) for label in (NORMAL, ANOMALOUS))
    return test.take(np.concatenate([random.permutation(places)[:_PER_KIND] for places in kinds_of]))


_MOST_POINTS = 500  # of a curve


def count(outcomes: Iterable[Outcome]) -> dict[str, list[dict]]:
    """Variant -> per seed what `PixelCounts.result` says, and `roc`, its curve; only of variants that restore images.

    Empty where the test images have no masks, or the masks mark nothing.
    """
    counted: dict[str, list[dict]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: _place(outcome.job.variant.name)):
        result = _counted(outcome)
        if result:
            counted.setdefault(outcome.job.variant.name, []).append(result)
    return counted


def _place(name: str) -> int:
    return TABLE_1.index(name) if name in TABLE_1 else len(TABLE_1)


def _counted(outcome: Outcome) -> dict | None:
    run = outcome.job.run
    kept = measured.load(run.measured, run.scores, run.detector)
    if kept.pixel is None or kept.pixel_roc is None:
        return None
    some = np.unique(np.linspace(0, kept.pixel_roc.shape[1] - 1, _MOST_POINTS).astype(int))
    return kept.pixel | {"roc": kept.pixel_roc[:, some].tolist()}
