"""The digits demo on both lines of Keras, and each line's runs in the hands of the other: python benchmarks/lines.py --work=DIR

Needs the environments of both, .venv (make demo) and .venv-addons (make test-addons). A run that is there is not made again.
"""

import argparse
import csv
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = {"default": ROOT / ".venv/bin/python", "addons": ROOT / ".venv-addons/bin/python"}
OTHER = {"default": "addons", "addons": "default"}
DIGITS = ("0", "8")  # The demo's, which any line tells from all others, and the hardest one.
WHAT = (
    "The digits demo, one seed, on both lines. Of each run: its AUROC; how far its scores on the other line are at most from its "
    "own, as a difference and relative to the score; and what verify_export says on the other line of its SavedModel."
)


def fanogan(line: str, command: str, *arguments: object) -> str:
    """What a command prints on that line. Raises RuntimeError with what it says of its failure."""
    started = [PYTHONS[line], "-m", "fanogan_tf.cli", command, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    finished = subprocess.run(started, cwd=ROOT, env=environment, capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError(f"{line}: fanogan {command}: {finished.stderr[-2000:]}")
    return finished.stdout


def column(table: Path, name: str) -> dict[str, float]:
    """Image -> number, of a score table."""
    with open(table, newline="", encoding="utf-8") as file:
        return {row["image"]: float(row[name]) for row in csv.DictReader(file)}


def crossed(line: str, run: Path) -> dict:
    """Hands a scored run of `line` to the other: how far scores there are from its own, and the word there on its SavedModel."""
    table, model = (run.parent / f"{run.name}_{what}" for what in ("there.csv", "model"))
    fanogan(OTHER[line], "score", f"--run_dir={run}", f"--output={table}")
    found = {}
    for name in ("score", "paper_score"):
        ours, theirs = column(run / "scores.csv", name), column(table, name)
        found[name] = {
            "difference": max(abs(theirs[image] - score) for image, score in ours.items()),
            "relative_difference": max(abs(theirs[image] - score) / abs(score) for image, score in ours.items()),
        }
    if not model.is_dir():
        fanogan(line, "export", f"--run_dir={run}", f"--output={model}")
    found["saved_model"] = fanogan(OTHER[line], "verify_export", f"--run_dir={run}", f"--model={model}").splitlines()[-1]
    return found


def demo(line: str, digit: str, work: Path) -> dict:
    """Runs the demo with `digit` as the normal one, where it has not run yet, and hands it over."""
    run = work / f"{line}_{digit}"
    if not (run / "report/metrics.json").is_file():
        fanogan(line, "run", "--flagfile=digits", f"--normal_class={digit}", f"--run_dir={run}")
    metrics = json.loads((run / "report/metrics.json").read_text(encoding="utf-8"))
    aurocs = {"auroc": metrics["auroc"], "auroc_of_paper_score": metrics["per_term"]["paper_score"]["auroc"]}
    return {"images": metrics["images"], **aurocs, "on_the_other_line": crossed(line, run)}


def versions(line: str, work: Path) -> dict:
    """Of what a line's models were made with."""
    card = work / f"{line}_{DIGITS[0]}_model/1/assets.extra/model_card.json"
    return json.loads(card.read_text(encoding="utf-8"))["versions"]


if __name__ == "__main__":
    import harness

    parser = argparse.ArgumentParser(description=WHAT)
    parser.add_argument("--work", type=Path, required=True, help="where the runs are made")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    digits = {f"digit {digit}": {line: demo(line, digit, work) for line in PYTHONS} for digit in DIGITS}
    result = {"versions": {line: versions(line, work) for line in PYTHONS}} | digits
    harness.write("lines", WHAT, "python benchmarks/lines.py --work=DIR", result)
