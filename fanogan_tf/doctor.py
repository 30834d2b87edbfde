"""The doctor: looks at a trained run, and says what is wrong with it (`evaluation.diagnosis` has the checks)."""

import numpy as np
from sklearn.metrics import roc_auc_score

from fanogan_tf import datasets, methods
from fanogan_tf.data import leaks
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.pixels import small_copies
from fanogan_tf.detection import score_table
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import diagnosis, metrics
from fanogan_tf.evaluation.diagnosis import State, Verdict
from fanogan_tf.methods import METHODS
from fanogan_tf.networks import latent
from fanogan_tf.options import Options
from fanogan_tf.random_streams import SampleDraw, Stream
from fanogan_tf.run_directory import RunDirectory

MOST = 256  # Images of each kind that are looked at: seconds, whatever the run's size.
_AT_ONCE = 64
_SIDE = 32


def examine(run: RunDirectory, options: Options) -> list[Verdict]:
    """Looks at a trained run; writes `run.doctor`, and returns all verdicts, problems first.

    Raises:
      UserError: the run is not trained to its end, or its images are gone.
    """
    if not run.detector.is_dir():
        raise UserError(f"{run.path}: this run is not trained to its end; run fanogan train --run_dir={run.path} first")
    detector = methods.load_detector(run.detector, options.mixed_precision)
    splits = datasets.load(options, run.cache)
    train, held_out, test = (_some(part, options.seed) for part in (splits.train, splits.validation, splits.test))
    verdicts = [diagnosis.losses(history(run, METHODS[options.method].PHASES))]
    verdicts += _of_images(run, options, splits.train, train, held_out, test)
    verdicts += _of_detector(detector, train, held_out, options)
    verdicts += _of_scores(run, splits.test)
    order = [State.PROBLEM, State.GOOD, State.UNKNOWN]
    verdicts.sort(key=lambda verdict: order.index(verdict.state))
    diagnosis.save(verdicts, run.doctor)
    return verdicts


def history(run: RunDirectory, phases: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    """The terms that a training logged, in order: phase -> name -> (n,)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    found: dict[str, dict[str, np.ndarray]] = {}
    for phase in phases:
        logs = run.phase(phase) / "logs"
        if not logs.is_dir():
            continue
        events = EventAccumulator(str(logs), size_guidance={"tensors": 0})
        events.Reload()
        kept = {}
        for name in events.Tags()["tensors"]:
            if "/" in name:  # Learning rates and loss scales.
                continue
            values = [make_ndarray(one.tensor_proto) for one in events.Tensors(name)]
            if values and values[0].dtype.kind == "f" and values[0].ndim == 0:
                kept[name] = np.array(values, np.float64)
        found[phase] = kept
    return found


def _some(images: ImageSet, seed: int) -> ImageSet:
    order = np.random.default_rng([seed, Stream.DOCTOR]).permutation(len(images))
    return images.take(np.sort(order[:MOST]))


def _of_images(
    run: RunDirectory, options: Options, whole: ImageSet, train: ImageSet, held_out: ImageSet, test: ImageSet
) -> list[Verdict]:
    small = small_copies(train.images, _SIDE)
    different = len(np.unique(small, axis=0)) / len(small)
    found = [
        diagnosis.training_images(len(whole), round(different * len(whole))),
        diagnosis.strange_training_images(small),
        diagnosis.leaks(leaks.load(run.leaks) if run.leaks.is_file() else None),
    ]
    of_test, of_held_out = (diagnosis.statistics(_pixels(part)) for part in (test, held_out))
    found.append(diagnosis.test_images(of_held_out, of_test))
    return found


def _of_detector(detector: Detector, train: ImageSet, held_out: ImageSet, options: Options) -> list[Verdict]:
    of_train, of_held_out = (_measured(detector, part) for part in (train, held_out))
    found = [diagnosis.held_out(detector.calibrated(), options.false_positive_rate)]
    found.append(diagnosis.confounders(of_held_out["score"], diagnosis.statistics(_pixels(held_out))))
    few = np.arange(min(8, len(held_out)))
    together = detector.measure(*held_out.inputs(few, detector.INPUTS))["score"]
    alone = [detector.measure(*held_out.inputs(few[[i]], detector.INPUTS))["score"][0] for i in few]
    found.append(diagnosis.one_at_a_time(together, np.array(alone)))
    if hasattr(detector, "kappa"):
        found.append(diagnosis.kappa(detector.scored_by, float(detector.kappa)))
    if "image_residual" in of_train:
        found.append(diagnosis.encoder_gap(of_train["image_residual"], of_held_out["image_residual"]))
    real = _pixels(held_out)
    if "reconstruction" in of_held_out:
        found.append(diagnosis.blur(real, of_held_out["reconstruction"][..., 0], "restored images"))
    if detector.can_generate:
        count = len(held_out)
        z = latent.draw(detector.spec.prior, (count, detector.latent_dim), latent.key(options.seed, SampleDraw.SAMPLES))
        samples = np.concatenate([detector.generate(z[first : first + _AT_ONCE]) for first in range(0, count, _AT_ONCE)])
        found.append(diagnosis.blur(real, samples[..., 0], "samples"))
        if detector.sees:
            features = [_features(detector, images) for images in (held_out.float_images(np.arange(count)), samples)]
            found += [diagnosis.spread(*features), diagnosis.generator(*features)]
    return found


def _of_scores(run: RunDirectory, test: ImageSet) -> list[Verdict]:
    """Where the test images have been scored and both kinds are known."""
    if not run.scores.is_file():
        return []
    table = score_table.read(run.scores)
    known = table.label != metrics.UNKNOWN
    if len(table) != len(test) or len(set(table.label[known].tolist())) < 2:
        return []
    label = table.label[known]
    simple = diagnosis.statistics(np.concatenate([batch["image"][..., 0] for batch in test.batches(_AT_ONCE)]))
    aurocs = {name: float(roc_auc_score(label, values[known])) for name, values in simple.items()}
    return [diagnosis.statistic_aurocs(float(roc_auc_score(label, table.score[known])), aurocs)]


def _measured(detector: Detector, images: ImageSet) -> dict[str, np.ndarray]:
    parts = [
        detector.measure(*images.inputs(np.arange(first, min(first + _AT_ONCE, len(images))), detector.INPUTS))
        for first in range(0, len(images), _AT_ONCE)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _features(detector: Detector, images: np.ndarray) -> np.ndarray:
    parts = [
        np.asarray(detector.look(detector.prepared(images[first : first + _AT_ONCE])[0]).features)
        for first in range(0, len(images), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _pixels(images: ImageSet) -> np.ndarray:
    return images.float_images(np.arange(len(images)))[..., 0]
