"""The way through a comparison, as scripts/reproduce.py tells it: plan, train and score what is missing, report."""

import sys
from pathlib import Path

from fanogan_tf.comparison.outcomes import outcomes
from fanogan_tf.comparison.plan import Job, jobs
from fanogan_tf.comparison.report import write_report
from fanogan_tf.comparison.running import is_scored, train_and_score
from fanogan_tf.comparison.variants import chosen
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options

__all__ = ["plan", "report", "train_and_score"]


def plan(root: Path, options: Options, methods: list[str], seeds: int, searched_images: int) -> list[Job]:
    """All runs of the comparison; see `plan.jobs`. methods: names of variants, all for an empty list.

    Raises:
      UserError: no such method; classes of a data set that has none; or several processes are asked for.
    """
    if options.strategy == "multi_worker":
        raise UserError("--strategy=multi_worker: a comparison is trained by one process; take none or mirrored")
    return jobs(root, options, chosen(methods), seeds, searched_images)


def report(folder: Path, planned: list[Job]) -> str:
    """Writes `folder` from the runs that are finished; returns the line that says where.

    Raises:
      UserError: none is.
    """
    found = outcomes(planned)
    if not found:
        raise UserError(f"{folder.parent}: nothing trained with these settings yet; leave out --train=false")
    other = [str(job.run.path) for job in planned if job.run.flags.is_file() and not is_scored(job)]
    if other:
        print(f"left out, not finished or with other settings: {', '.join(other)}", file=sys.stderr)
    return f"{len(found)} of {len(planned)} runs; report: {write_report(folder, found)}"
