"""The papers' tables, made from the outcomes of the runs: one number per seed, written as Markdown, CSV or JSON."""

import csv
import dataclasses
import io
import statistics
from collections.abc import Iterable

import numpy as np

from fanogan_tf.comparison import variants
from fanogan_tf.comparison.runs import Outcome
from fanogan_tf.comparison.variants import BASELINES, TABLE_1, TABLE_2, TABLE_A1, VARIANTS


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
      key: its name in CSV and JSON.
      heading: its name in Markdown.
      digits: number of decimals in Markdown.
    """

    key: str
    heading: str
    digits: int = 4


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
      name: of its CSV file.
      title: above the table.
      first: heading of the column of row names.
      columns: the others.
      rows: (name, column key -> one figure per seed); an empty list was not measured.
      notes: below the table.
    """

    name: str
    title: str
    first: str
    columns: tuple[Column, ...]
    rows: list[tuple[str, dict[str, list[float]]]]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Writes means and standard deviations over the seeds."""
        lines = [f"## {self.title}", ""]
        lines += [_line([self.first, *(column.heading for column in self.columns)]), "|---" * (len(self.columns) + 1) + "|"]
        for name, figures in self.rows:
            lines.append(_line([name, *(_shown(figures.get(column.key, []), column.digits) for column in self.columns)]))
        return "\n".join([*lines, "", *(f"{note}\n" for note in self.notes)])

    def csv(self) -> str:
        """Writes each figure's mean, standard deviation (empty for a single seed) and number of seeds."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.first, *(f"{c.key}{end}" for c in self.columns for end in ("", "_sd", "_seeds"))])
        for name, figures in self.rows:
            cells = []
            for column in self.columns:
                values = figures.get(column.key, [])
                mean, sd = summary(values) if values else ("", "")
                cells += [mean, "" if sd is None else sd, len(values)]
            writer.writerow([name, *cells])
        return text.getvalue()

    def json(self) -> dict:
        """Returns all figures, one per seed."""
        rows = [{"name": name, **{key: values for key, values in figures.items()}} for name, figures in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


_AT_YOUDEN = (
    Column("precision", "precision"),
    Column("sensitivity", "sensitivity"),
    Column("specificity", "specificity"),
    Column("f_score", "F"),
    Column("auroc", "AUC"),
)
_PUBLISHED = Column("published_auroc", "AUC in the paper, other data")
_ORIENTATION = "The paper's figures come from private retinal OCT; they are shown for orientation only."
_ROBUST = "fanogan_robust"  # Key of f-AnoGAN's other score.
_YOUDEN = "Precision, sensitivity, specificity and F at the Youden index, which is chosen on these test labels as in the paper."


def methods(outcomes: list[Outcome]) -> Table:
    """Makes table 1: every method, with its cost."""
    shared = _shared_images(outcomes)
    columns = [*_AT_YOUDEN, _PUBLISHED]
    notes = [_YOUDEN, _ORIENTATION, "Training: wall-clock time of all phases, a shared GAN counted in full for each method."]
    if shared is not None:
        columns.append(Column("shared_auroc", f"AUC, the {len(shared)} images that all scored"))
        notes.append(f"Methods that search z for each image scored {len(shared)} of the test images, half of them normal.")
    if any(outcome.robust is not None for outcome in outcomes):
        columns.append(Column("robust_auroc", "AUC, robust score"))
        notes.append("Robust score: one combination of terms for all methods with a critic, the product's default.")
    columns += [
        Column("training_seconds", "training, s", 0),
        Column("milliseconds_per_image", "scoring, ms per image", 2),
        Column("images", "images", 0),
    ]
    rows = []
    for name, group in _groups(outcomes, TABLE_1):
        figures: dict[str, list[float]] = {
            **_youden(group),
            "published_auroc": _one(variants.IMAGE_AUC.get(name)),
            "training_seconds": [outcome.training_seconds for outcome in group],
            "milliseconds_per_image": [1000.0 / outcome.images_per_second for outcome in group],
            "images": [len(group[0].table)],
            "robust_auroc": [outcome.auroc(outcome.robust) for outcome in group if outcome.robust is not None],
        }
        if shared is not None:
            figures["shared_auroc"] = [outcome.auroc(outcome.scores(), shared) for outcome in group]
        rows.append((VARIANTS[name].title, figures))
    return Table("table_1", "Table 1: methods", "method", tuple(columns), rows, tuple(notes))


def encoder_losses(outcomes: list[Outcome]) -> Table:
    """Makes tables 2 and A1: encoder losses and bounds; ziz and izi also with the feature residual at scoring."""
    rows = []
    for bound, names in (("tanh", TABLE_2), ("linear", TABLE_A1)):
        for name, group in _groups(outcomes, names):
            loss = group[0].job.options.encoder_loss
            auc = _one(variants.IMAGE_AUC.get(name))
            rows.append((f"{loss}, {bound}", _youden(group) | {"published_auroc": auc}))
        for name, group in _groups(outcomes, names[:2]):
            # izi_f was trained with this kappa, so its scores and theirs compare.
            kappa = _kappa(outcomes)
            loss = group[0].job.options.encoder_loss
            auc = _one(variants.IMAGE_AUC_WITH_FEATURES.get(name))
            figures = _youden(group, kappa) | {"published_auroc": auc}
            rows.append((f"{loss}, {bound}, with feature residual at scoring (κ = {kappa:g})", figures))
    for name, group in _groups(outcomes, BASELINES):
        rows.append((f"{VARIANTS[name].title}, for comparison", _youden(group)))
    note = "ziz and izi score by A_R alone, izi_f by A_R + κ A_D, as in the paper."
    return Table(
        "table_2",
        "Tables 2 and A1: encoder losses",
        "encoder loss, bound",
        (*_AT_YOUDEN, _PUBLISHED),
        rows,
        (_YOUDEN, note, _ORIENTATION),
    )


def pixels(counted: dict[str, list[dict]]) -> Table:
    """Makes table B1: pixels. counted: variant -> `PixelCounts.result` of each seed."""
    columns = (
        Column("sensitivity", "sensitivity"),
        Column("specificity", "specificity"),
        Column("auroc", "AUC"),
        _PUBLISHED,
    )
    rows = []
    for name, results in counted.items():
        figures = {key: [result["youden"][key] for result in results] for key in ("sensitivity", "specificity")}
        figures |= {"auroc": [result["auroc"] for result in results], "published_auroc": _one(variants.PIXEL_AUC.get(name))}
        rows.append((VARIANTS[name].title, figures))
    return Table("table_b1", "Table B1: pixels", "method", columns, rows, (_YOUDEN, _ORIENTATION))


def classes(outcomes: list[Outcome]) -> Table:
    """Makes the table over classes: AUROC of every method on every class in turn, and the means over the classes."""
    protocols = list(dict.fromkeys(outcome.job.protocol for outcome in outcomes))
    titles: dict[str, str] = {}
    found: dict[tuple[str, str, int], float] = {}
    for name, group in _groups(outcomes, VARIANTS):
        for outcome in group:
            titles.setdefault(name, VARIANTS[name].title)
            found[outcome.job.protocol, name, outcome.job.seed] = outcome.auroc(outcome.scores())
            if outcome.robust is not None and name == "fanogan":
                titles.setdefault(_ROBUST, f"{VARIANTS[name].title}, robust score")
                found[outcome.job.protocol, _ROBUST, outcome.job.seed] = outcome.auroc(outcome.robust)
    names = list(titles)
    seeds = sorted({seed for *_, seed in found})

    def figures(protocol: str, name: str) -> list[float]:
        return [found[protocol, name, seed] for seed in seeds if (protocol, name, seed) in found]

    def mean(over: list[str], name: str) -> list[float]:
        """Averages per seed; a seed that lacks a class is left out."""
        per_seed = [[found.get((protocol, name, seed)) for protocol in over] for seed in seeds]
        complete = [[value for value in values if value is not None] for values in per_seed if None not in values]
        return [float(np.mean(values)) for values in complete if values]

    rows = [(protocol, {name: figures(protocol, name) for name in names}) for protocol in protocols]
    rows.append((f"mean of {len(protocols)}", {name: mean(protocols, name) for name in names}))
    common = [protocol for protocol in protocols if all(figures(protocol, name) for name in names)]
    if len(common) < len(protocols) and len(common) > 1:
        rows.append((f"mean of {len(common)}, of every method", {name: mean(common, name) for name in names}))
    notes = ["AUROC. Every class takes its turn; trained without any anomalous image."]
    notes += [
        f"{VARIANTS[name].title} scored {images} test images of each, drawn at random."
        for name, images in _fewer_images(outcomes).items()
    ]
    if outcomes[0].job.options.dataset == "mnist" and not outcomes[0].job.options.anomalous_class:
        means = ", ".join(f"{name} {value:.3f}" for name, value in variants.MNIST_MEAN.items())
        notes.append(f"Published means over the ten digits, other networks and budgets, for orientation only: {means}.")
    columns = tuple(Column(name, title) for name, title in titles.items())
    return Table("one_class", "One class at a time", "class", columns, rows, tuple(notes))


def class_means(table: Table) -> dict[str, dict[str, float]]:
    """Reads the table that `classes` makes: method -> class -> mean AUROC over the seeds."""
    rows = [(name.split()[-1], figures) for name, figures in table.rows if not name.startswith("mean of")]
    return {
        column.heading: {name: summary(figures[column.key])[0] for name, figures in rows if figures[column.key]}
        for column in table.columns
    }


def terms(outcomes: list[Outcome]) -> Table:
    """Makes the table of f-AnoGAN's terms: AUROC per class with the run's kappa, with the paper's 1, and of each term alone."""
    rows = []
    for protocol in dict.fromkeys(outcome.job.protocol for outcome in outcomes):
        group = [outcome for outcome in outcomes if outcome.job.protocol == protocol and outcome.job.variant.name == "fanogan"]
        if group:
            rows.append((protocol, _terms(group)))
    if len(rows) > 1:
        means = {key: [float(np.mean(per_seed)) for per_seed in _per_seed(rows, key)] for key in rows[0][1]}
        rows.append((f"mean of {len(rows)}", means))
    columns = (
        Column("score", f"A, κ = {_kappa(outcomes):g}"),
        Column("kappa_1", "A, κ = 1 at scoring"),
        Column("image_residual", "A_R"),
        Column("feature_residual", "A_D"),
        Column("latent_distance", "latent distance"),
        Column("training_seconds", "training, s", 0),
    )
    return Table("terms", "f-AnoGAN's score and its terms", "class", columns, rows, ("AUROC, on the same weights.",))


def _terms(group: list[Outcome]) -> dict[str, list[float]]:
    names = ("image_residual", "feature_residual", "latent_distance")
    return {
        "score": [outcome.auroc(outcome.scores()) for outcome in group],
        "kappa_1": [outcome.auroc(outcome.scores(1.0)) for outcome in group],
        **{name: [outcome.auroc(getattr(outcome.table, name)) for outcome in group] for name in names},
        "training_seconds": [outcome.training_seconds for outcome in group],
    }


def _per_seed(rows: list[tuple[str, dict[str, list[float]]]], key: str) -> Iterable[tuple[float, ...]]:
    """Yields the figures of all rows, for each seed that all rows have."""
    return zip(*(figures[key] for _, figures in rows), strict=False)


def _groups(outcomes: list[Outcome], names: Iterable[str]) -> Iterable[tuple[str, list[Outcome]]]:
    for name in names:
        group = [outcome for outcome in outcomes if outcome.job.variant.name == name]
        if group:
            yield name, group


def _youden(group: list[Outcome], kappa: float | None = None) -> dict[str, list[float]]:
    figures = [outcome.at_youden(kappa) for outcome in group]
    # At the Youden index of a score no better than chance, no image is anomalous, and precision is undefined.
    return {c.key: [value for figure in figures if (value := figure[c.key]) is not None] for c in _AT_YOUDEN}


def _kappa(outcomes: list[Outcome]) -> float:
    return next((o.job.options.kappa for o in outcomes if o.job.variant.name.startswith("fanogan")), 1.0)


def _one(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _fewer_images(outcomes: list[Outcome]) -> dict[str, int]:
    """Maps the variants that scored fewer test images than others to that number."""
    counts = {outcome.job.variant.name: len(outcome.table) for outcome in outcomes}
    return {name: count for name, count in counts.items() if count < max(counts.values())}


def _shared_images(outcomes: list[Outcome]) -> np.ndarray | None:
    """Names the images that all variants scored; None where all scored the same number."""
    smallest = min(outcomes, key=lambda outcome: len(outcome.table))
    return smallest.table.image if _fewer_images(outcomes) else None


def summary(values: list[float]) -> tuple[float, float | None]:
    """Computes mean and sample standard deviation; the latter is None for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def _shown(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    mean, sd = summary(values)
    return f"{mean:.{digits}f}" if sd is None else f"{mean:.{digits}f} ± {sd:.{digits}f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
