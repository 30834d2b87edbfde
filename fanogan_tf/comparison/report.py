"""The report of a comparison: its tables as Markdown, CSV and JSON, its figures, and the facts to read them by."""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

from fanogan_tf import files
from fanogan_tf.comparison import tables
from fanogan_tf.comparison.figures import count, draw
from fanogan_tf.comparison.runs import Job, Outcome, is_scored, outcomes
from fanogan_tf.comparison.tables import Table
from fanogan_tf.comparison.variants import TABLE_2, TABLE_A1
from fanogan_tf.datasets import DATASETS
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation.figures import class_chart, style

_PAGE = "report.md"


def report(folder: Path, planned: list[Job]) -> str:
    """Writes the report of the finished runs into `folder`; returns a line that names its page.

    Raises:
      UserError: no run is finished.
    """
    found = outcomes(planned)
    if not found:
        raise UserError(f"{folder.parent}: nothing trained with these settings yet; leave out --train=false")
    other = [str(job.run.path) for job in planned if job.run.flags.is_file() and not is_scored(job)]
    if other:
        print(f"left out, not finished or with other settings: {', '.join(other)}", file=sys.stderr)
    return f"{len(found)} of {len(planned)} runs; report: {write_report(folder, found)}"


def write_report(folder: Path, outcomes: list[Outcome]) -> Path:
    """Writes `folder`, which is replaced as a whole or not at all; returns the path of its page.

    One protocol makes the papers' tables; several classes in turn make one table over the classes.
    """
    protocols = list(dict.fromkeys(outcome.job.protocol for outcome in outcomes))
    one = len(protocols) == 1
    note = ", ".join(
        filter(None, (DATASETS[outcomes[0].job.options.dataset].describe(outcomes[0].job.options), protocols[0] if one else ""))
    )
    with files.whole_folder(folder) as temporary:
        made, figures = _of_one_protocol(outcomes, note) if one else _of_classes(outcomes, note)
        shown = []
        for name, figure in figures:
            style.save(figure, temporary / f"{name}.png")
            shown.append(name)
        facts = _facts(outcomes)
        for table in made:
            (temporary / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
        everything = {"facts": facts, "tables": {table.name: table.json() for table in made}}
        (temporary / "report.json").write_text(json.dumps(everything, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        (temporary / _PAGE).write_text(_page(note, facts, made, shown), encoding="utf-8")
    return Path(folder) / _PAGE


def _of_one_protocol(outcomes: list[Outcome], note: str) -> tuple[list[Table], list[tuple[str, Figure]]]:
    names = {outcome.job.variant.name for outcome in outcomes}
    counted = count(outcomes)
    made = [tables.methods(outcomes)]
    if names.intersection((*TABLE_2, *TABLE_A1)) - {"fanogan"}:
        made.append(tables.encoder_losses(outcomes))
    if counted:
        made.append(tables.pixels(counted))
    else:
        print("no masks, or none that mark a pixel: the table of pixels is left out", flush=True)
    return made, list(draw(outcomes, counted, note))


def _of_classes(outcomes: list[Outcome], note: str) -> tuple[list[Table], list[tuple[str, Figure]]]:
    table = tables.classes(outcomes)
    made = [table]
    if any(outcome.job.variant.name == "fanogan" for outcome in outcomes):
        made.append(tables.terms(outcomes))
    return made, [("one_class", class_chart.class_chart(tables.class_means(table), note))]


def _facts(outcomes: list[Outcome]) -> dict[str, str]:
    """Lists the settings that a reader needs to judge the numbers."""
    options = outcomes[0].job.options
    base = next((o.job.options for o in outcomes if o.job.variant.updates is None), options)
    seeds = sorted({outcome.job.seed for outcome in outcomes})
    updates = base.iterations * (base.n_critic + 1) + base.encoder_iterations
    return {
        "data set": DATASETS[options.dataset].describe(options),
        "protocol": "; ".join(dict.fromkeys(outcome.job.protocol for outcome in outcomes)) or "normal images alone to train on",
        "seeds": ", ".join(map(str, seeds)) + f"; split seed {options.split_seed}",
        "budget": f"{updates} network updates per method: f-AnoGAN's {base.iterations} x ({base.n_critic} + 1) of the GAN and "
        f"{base.encoder_iterations} of the encoder",
        "images": f"{options.image_size or 'of their own size'}, training batches of {options.batch_size}",
        "networks": f"dim {options.dim}, latent_dim {options.latent_dim}",
        "kappa": f"{base.kappa:g}",
        "tuning": "none on labels: thresholds come from held-out normal images, and the Youden index is for comparison only",
    }


def _page(note: str, facts: dict[str, str], made: list[Table], shown: list[str]) -> str:
    lines = [f"# Comparison on {note}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["- every figure is a mean ± sample standard deviation over the seeds; a single number comes from one seed", ""]
    lines += [table.markdown() for table in made]
    lines += [f"![{name}]({name}.png)\n" for name in shown]
    return "\n".join(lines)
