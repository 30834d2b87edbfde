"""The digits demo on both lines of Keras, and each line's run in the hands of the other: python benchmarks/lines.py --work=DIR

Needs the environments of both, .venv (make demo) and .venv-addons (make test-addons). A run that is there is not made again.
"""

import argparse
import csv
import json
import os
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = {"default": ROOT / ".venv/bin/python", "addons": ROOT / ".venv-addons/bin/python"}
OTHER = {"default": "addons", "addons": "default"}
WHAT = (
    "The digits demo with one seed on both lines; of each run, the largest relative difference between its scores on its own line"
    " and on the other, and what verify_export says there of its SavedModel."
)


def fanogan(line: str, command: str, *arguments: object) -> str:
    """What a command prints on that line. Raises CalledProcessError, whose `stderr` says why."""
    started = [PYTHONS[line], "-m", "fanogan_tf.cli", command, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(started, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def scores(table: Path) -> dict[str, float]:
    """Image -> score."""
    with open(table, newline="", encoding="utf-8") as file:
        return {row["image"]: float(row["score"]) for row in csv.DictReader(file)}


def crossed(line: str, run: Path) -> tuple[float, str]:
    """Hands a scored run of `line` to the other: how far its scores there are from its own, and the word on its SavedModel."""
    there = run.parent / f"{run.name}_there.csv"
    fanogan(OTHER[line], "score", f"--run_dir={run}", f"--output={there}")
    ours, theirs = scores(run / "scores.csv"), scores(there)
    if ours.keys() != theirs.keys():
        raise ValueError(f"{there}: other images than in {run / 'scores.csv'}")
    model = run.parent / f"{run.name}_model"
    if not model.is_dir():
        fanogan(line, "export", f"--run_dir={run}", f"--output={model}")
    said = fanogan(OTHER[line], "verify_export", f"--run_dir={run}", f"--model={model}")
    return max(abs(theirs[name] - score) / abs(score) for name, score in ours.items()), said.splitlines()[-1]


def demo(line: str, work: Path) -> dict:
    """Runs the demo, where it has not run yet, and hands it over."""
    run = work / line
    start = time.monotonic()
    if not (run / "report/metrics.json").is_file():
        fanogan(line, "run", "--flagfile=digits", f"--run_dir={run}")
    seconds = time.monotonic() - start
    metrics = json.loads((run / "report/metrics.json").read_text(encoding="utf-8"))
    difference, said = crossed(line, run)
    card = json.loads((work / f"{line}_model/1/assets.extra/model_card.json").read_text(encoding="utf-8"))
    return {
        "versions": card["versions"],
        "seconds": round(seconds),
        "images": metrics["images"],
        "auroc": metrics["auroc"],
        "auroc_of_the_papers_score": metrics["per_term"]["paper_score"]["auroc"],
        "largest_relative_difference_of_scores_on_the_other_line": difference,
        "saved_model_on_the_other_line": said,
    }


if __name__ == "__main__":
    import harness

    parser = argparse.ArgumentParser(description=WHAT)
    parser.add_argument("--work", type=Path, required=True, help="where the runs are made")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    harness.write("lines", WHAT, "python benchmarks/lines.py --work=DIR", {line: demo(line, work) for line in PYTHONS})
