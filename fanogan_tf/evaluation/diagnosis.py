"""The doctor's checks: what is wrong with a training, told from numbers, with the evidence and what to change.

Every check is a function of arrays, and gives one verdict. Where its limits come from is said beside them; none was chosen by a
label of test images. `benchmarks/doctor.py` shows them on runs that were broken on purpose, and on good ones.
"""

import dataclasses
import enum
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from fanogan_tf import files
from fanogan_tf.data.leaks import Leaks
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.errors import UserError


class State(enum.StrEnum):
    """What a check comes to."""

    GOOD = "good"
    PROBLEM = "problem"
    UNKNOWN = "not checked"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One check's word: its name, the evidence in one sentence, and, where there is a problem, what to change."""

    name: str
    state: State
    evidence: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.name}: {self.evidence}" + (f"; {self.remedy}" if self.remedy else "")


def losses(history: dict[str, dict[str, np.ndarray]]) -> Verdict:
    """Whether a loss diverged.

    history: phase -> name of a term -> its values, in order.

    A term that is not a number, or whose last quarter is a hundred times what it was in the second quarter or more: what moves is
    then the sizes of the weights, and not what they tell apart.
    """
    terms = [(f"{name} of the {phase} phase", values) for phase, of in history.items() for name, values in of.items()]
    if not terms:
        return Verdict("losses", State.UNKNOWN, "no losses were kept")
    for name, values in terms:
        if not np.isfinite(values).all():
            return Verdict("losses", State.PROBLEM, f"{name} is not a finite number", "lower the learning rate")
    grown = []
    for name, values in terms:
        quarter = len(values) // 4
        if quarter >= 2:
            before, after = (np.median(np.abs(part)) for part in (values[quarter : 2 * quarter], values[-quarter:]))
            grown.append((float(after / max(before, 1e-3)), float(np.median(np.abs(values[-quarter:]))), name))
    largest = max((abs(values[-max(len(values) // 4, 1) :]).max(), name) for name, values in terms)
    worst = max(grown, default=(0.0, 0.0, ""))
    if worst[0] > 100.0:
        evidence = f"{worst[2]} grew {worst[0]:.0f}-fold, to {worst[1]:.3g}"
        return Verdict("losses", State.PROBLEM, evidence, "lower the learning rate")
    if largest[0] > _LARGEST_LOSS:
        evidence = f"{largest[1]} reaches {largest[0]:.3g}"
        return Verdict("losses", State.PROBLEM, evidence, "lower the learning rate")
    return Verdict("losses", State.GOOD, f"all of {len(terms)} terms are finite, the largest is {largest[0]:.3g}")


# A critic that is held to a slope of 1 tells two images apart by no more than their distance: some tens at these sizes.
_LARGEST_LOSS = 1e3


def spread(real: np.ndarray, generated: np.ndarray) -> Verdict:
    """Whether the generator makes a few images only.

    Args:
      real: (N, n) features of held-out images. generated: (M, n), of samples.
    """
    share = _mean_distance(generated) / max(_mean_distance(real), 1e-12)
    evidence = f"samples lie {share:.2f} times as far from one another as real images do, in the critic's features"
    if share < 0.5:
        return Verdict(
            "spread of samples", State.PROBLEM, evidence, "the generator has collapsed: train again, with another --seed"
        )
    return Verdict("spread of samples", State.GOOD, evidence)


def generator(real: np.ndarray, generated: np.ndarray) -> Verdict:
    """Whether samples can be told from real images by their nearest neighbour (the 1-NN test of Lopez-Paz and Oquab 2017).

    Args:
      real: (N, n) features of held-out images. generated: (N, n), of as many samples.

    1/2 is chance. Trained generators of small networks are found out as well; what is beyond telling is when no sample has a real
    image nearest to it.
    """
    rows = np.concatenate([real, generated])
    distances = _squared_distances(rows)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    is_real = np.arange(len(rows)) < len(real)
    among_real = float(is_real[nearest][~is_real].mean())
    right = float((is_real[nearest] == is_real).mean())
    evidence = f"the nearest neighbour tells samples from real images in {right:.0%} of cases; {among_real:.0%} of the samples"
    evidence += " have a real image nearest"
    if among_real < 0.02 and right > 0.95:
        remedy = "train the generator longer (--iterations), or make it wider (--dim)"
        return Verdict("generator", State.PROBLEM, evidence, remedy)
    return Verdict("generator", State.GOOD, evidence)


def blur(real: np.ndarray, made: np.ndarray, what: str) -> Verdict:
    """Whether images lack the fine half of the spectrum.

    Args:
      real: (N, H, W) in [-1, 1]. made: (M, H, W), samples or what was restored; `what` names them.
    """
    share = _fine_power(made) / max(_fine_power(real), 1e-12)
    evidence = f"{what} have {share:.2f} of the power that real images have at fine scales"
    if share < 0.1:
        return Verdict(f"blur of {what}", State.PROBLEM, evidence, "train longer, or make the networks wider (--dim)")
    return Verdict(f"blur of {what}", State.GOOD, evidence)


def encoder_gap(train: np.ndarray, held_out: np.ndarray) -> Verdict:
    """Whether training images are restored better than held-out normal ones: (N,) and (M,) residuals."""
    ratio = float(np.median(held_out) / max(np.median(train), 1e-12))
    evidence = f"the residual of held-out normal images is {ratio:.2f} times that of training images"
    if ratio > 3.0:
        remedy = "training images are learnt by heart: give more of them, or --augment, or fewer iterations"
        return Verdict("memory", State.PROBLEM, evidence, remedy)
    return Verdict("memory", State.GOOD, evidence)


def confounders(scores: np.ndarray, statistics: dict[str, np.ndarray]) -> Verdict:
    """Whether the score of held-out normal images is one simple statistic of them: (N,) each."""
    found = []
    for name, values in statistics.items():
        if len(scores) >= 10 and np.ptp(values) > 0 and np.ptp(scores) > 0:
            found.append((abs(float(stats.spearmanr(scores, values)[0])), name))
    if not found:
        return Verdict("what the score follows", State.UNKNOWN, "fewer than 10 held-out normal images, or all are alike")
    correlation, name = max(found)
    evidence = f"among held-out normals the score follows {name} most, with a rank correlation of {correlation:.2f}"
    if correlation > 0.9:
        return Verdict("what the score follows", State.PROBLEM, evidence, _against(name, statistics))
    return Verdict("what the score follows", State.GOOD, evidence)


def _against(name: str, statistics: dict[str, np.ndarray]) -> str:
    """What to do where the score is that statistic of normal images."""
    if name == "sharpness" and "contrast" in statistics:
        # As `standardise.blurred` has it: of the variance. Statistics hold its logarithm.
        of_variance = np.exp(statistics["sharpness"]) / np.maximum(np.square(statistics["contrast"]), 1e-12)
        bound = float(np.quantile(of_variance, 0.01))
        return (
            f"it measures sharpness and little else: --sharpness={bound:.2g} blurs every image to that of the smoothest hundredth"
        )
    return f"it measures {name} and little else: standardise the images (--standardise), or take --score=robust"


def statistic_aurocs(auroc: float, of_statistics: dict[str, float]) -> Verdict:
    """Whether a simple statistic tells the test images apart as well as the score does; needs their labels."""
    best, name = max((max(value, 1.0 - value), name) for name, value in of_statistics.items())
    evidence = f"{name} alone tells the test images apart with an AUROC of {best:.3f}, the score with {auroc:.3f}"
    if best >= auroc and best > 0.7:
        remedy = "the two kinds differ in more than the anomaly: match them, and read the report's rows without a model"
        return Verdict("simple statistics", State.PROBLEM, evidence, remedy)
    return Verdict("simple statistics", State.GOOD, evidence)


def held_out(calibration: Calibration, rate: float) -> Verdict:
    """Whether there are enough held-out normal images for the false positive rate that was asked for."""
    if not calibration.normals:
        return Verdict("held-out images", State.UNKNOWN, "the detector does not say how many there were")
    low, high = calibration.rate_interval(rate)
    evidence = (
        f"{calibration.normals} held-out normal images: a threshold for {rate:.1%} means {low:.1%} to {high:.1%} of all normal "
        f"images (95 %)"
    )
    if rate * (calibration.normals + 1) < 1.0:
        remedy = f"hold out {int(np.ceil(1.0 / rate))} or more (--validation_fraction, val_normal), or ask for a higher rate"
        return Verdict("held-out images", State.PROBLEM, evidence, remedy)
    return Verdict("held-out images", State.GOOD, evidence)


def leaks(found: Leaks | None) -> Verdict:
    """Whether images stand on two sides of the split."""
    if found is None:
        return Verdict("leaks", State.UNKNOWN, "nobody has looked for images on two sides of the split")
    if any(found.exact.values()):
        sides = max(found.exact, key=lambda name: found.exact[name])
        evidence = f"{found.exact[sides]} images are pixel for pixel on both sides of {sides.replace('-', ' and ')}"
        return Verdict("leaks", State.PROBLEM, evidence, "remove them from one side; leaks.json lists them")
    near = sum(found.near.values())
    return Verdict("leaks", State.GOOD, f"no image is pixel for pixel on two sides of the split, {near} nearly")


def test_images(held_out: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> Verdict:
    """Whether test images differ from held-out normal ones before anything is said of anomalies.

    Both: statistic -> (N,) values. A set of which at least a tenth is normal has a tenth that lies as near the normals' median as
    normals do, whatever the anomalies are: so the nearest tenth must not lie beyond one standard deviation.
    """
    found = []
    for name, normal in held_out.items():
        distances = np.abs(test[name] - np.median(normal)) / max(float(np.std(normal)), 1e-6 * max(abs(np.median(normal)), 1.0))
        found.append((float(np.quantile(distances, 0.1)), name))
    worst, name = max(found)
    evidence = f"nine of ten test images lie {worst:.1f} standard deviations or more from the held-out normals' {name}"
    if worst > 1.0:
        remedy = "they come from elsewhere, or were prepared otherwise: prepare both alike, or --standardise"
        return Verdict("test images", State.PROBLEM, evidence, remedy)
    return Verdict(
        "test images", State.GOOD, "in brightness, contrast and sharpness the test images are like the held-out normals"
    )


def one_at_a_time(together: np.ndarray, alone: np.ndarray) -> Verdict:
    """Whether an image's score depends on those that are scored with it: (N,) and (N,) scores of the same images."""
    difference = float(np.max(np.abs(together - alone) / np.maximum(np.abs(alone), 1e-12)))
    evidence = f"scored together and alone, images differ by at most {difference:.2g} of their score"
    if difference > 1e-3:
        remedy = "a network normalises by the batch at hand: call it with training=False"
        return Verdict("one at a time", State.PROBLEM, evidence, remedy)
    return Verdict("one at a time", State.GOOD, evidence)


def training_images(count: int, different: int) -> Verdict:
    """Whether there are enough different training images. different: of those looked at, as a share of count."""
    evidence = f"{count:,} training images, {different:,} of them different"
    if different < 0.5 * count:
        return Verdict("training images", State.PROBLEM, evidence, "the same ones again teach nothing: remove them, give others")
    if different < 50:
        return Verdict("training images", State.PROBLEM, evidence, "give some hundreds, or --augment=colour,translation,cutout")
    return Verdict("training images", State.GOOD, evidence)


def strange_training_images(rows: np.ndarray) -> Verdict:
    """Whether some training images are unlike all others.

    rows: (N, n) small copies of training images. The distance to the fifth nearest other image, in units of the spread of all
    such distances: of normal images alone, next to none lie far out.
    """
    if len(rows) < 30:
        return Verdict("strange training images", State.UNKNOWN, "fewer than 30 training images")
    distances = _squared_distances(rows)
    np.fill_diagonal(distances, np.inf)
    fifth = np.sqrt(np.partition(distances, 4, axis=1)[:, 4])
    middle = np.median(fifth)
    far = (fifth - middle) / max(1.4826 * float(np.median(np.abs(fifth - middle))), 1e-12) > _FAR
    evidence = f"{far.sum()} of {len(rows)} training images lie far from all others"
    if far.mean() > 0.03:
        remedy = "look at them, and remove what is not normal"
        return Verdict("strange training images", State.PROBLEM, evidence, remedy)
    return Verdict("strange training images", State.GOOD, evidence)


_FAR = 3.5


def kappa(scored_by: str, value: float) -> Verdict:
    """Whether the paper's score leaves the feature residual out."""
    if scored_by == "paper" and value == 0.0:
        evidence = "kappa is 0: the score is the image residual alone, and the critic has no say"
        return Verdict("kappa", State.PROBLEM, evidence, "take --kappa=1, or --score=robust")
    return Verdict("kappa", State.GOOD, f"the score is {scored_by}" + (f", kappa {value:g}" if scored_by == "paper" else ""))


def statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    """Brightness, contrast, sharpness and compressed size of images (N, H, W) in [-1, 1]: (N,) each."""
    around = images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    laplacian = np.square(4.0 * images[:, 1:-1, 1:-1] - around).mean(axis=(1, 2))
    grey = np.round((images + 1.0) * 127.5).astype(np.uint8)
    return {
        "brightness": images.mean(axis=(1, 2)),
        "contrast": images.std(axis=(1, 2)),
        "sharpness": np.log(laplacian + 1e-6),
        "compressed size": np.array([len(zlib.compress(np.ascontiguousarray(image).tobytes())) for image in grey], float),
    }


def problems(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that say so."""
    return [verdict for verdict in verdicts if verdict.state == State.PROBLEM]


def save(verdicts: Sequence[Verdict], path: Path) -> None:
    """Writes `path`, a JSON file that is read by people too."""
    with files.whole_file(path) as temporary:
        temporary.write_text(json.dumps([dataclasses.asdict(one) for one in verdicts], indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> list[Verdict]:
    """Reads what `save` wrote; none where nobody has looked.

    Raises:
      UserError: the file is damaged.
    """
    if not Path(path).is_file():
        return []
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Verdict(**value | {"state": State(value["state"])}) for value in values]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); run fanogan doctor again") from error


def _squared_distances(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    squares = np.square(rows).sum(axis=1)
    return np.asarray(np.maximum(squares[:, None] + squares[None] - 2.0 * rows @ rows.T, 0.0))


def _mean_distance(rows: np.ndarray) -> float:
    distances = np.sqrt(_squared_distances(rows))
    return float(distances.sum() / max(len(rows) * (len(rows) - 1), 1))


def _fine_power(images: np.ndarray) -> float:
    """Mean power per pixel of the frequencies from half the highest on, in either direction."""
    spectrum = np.square(np.abs(np.fft.rfft2(images - images.mean(axis=(1, 2), keepdims=True), norm="ortho")))
    down = np.abs(np.fft.fftfreq(images.shape[1]))[:, None]
    across = np.fft.rfftfreq(images.shape[2])[None]
    return float(spectrum[:, np.maximum(down, across) >= 0.25].mean())
