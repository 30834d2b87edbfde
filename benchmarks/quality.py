"""The quality of plain, folded and bfloat16 training, and of a lazy penalty: AUROC on MNIST, over seeds.

python benchmarks/quality.py --data_path=mnist.npz --work=DIR -> results/quality.json

All runs have the same small budget and the same data; with equal seed, they have the same first weights. Each has one thread,
because bfloat16 on several threads gives different bits every time; so both digits are trained at once. Finished runs in DIR are
kept: after an interruption, the same command resumes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness

ROOT = Path(__file__).parent.parent
DIGITS, SEEDS = (1, 5), (0, 1, 2)
FORMS = {
    "plain": ["--folded=false"],
    "folded": [],
    "bfloat16": ["--mixed_precision=bfloat16"],
    "lazy_penalty": ["--penalty_every=4"],
}
# Small enough for 24 trainings in 40 minutes; the README's MNIST table has the real ones.
BUDGET = ["--image_size=28", "--dim=8", "--iterations=100", "--encoder_iterations=300", "--encoder_learning_rate=6e-4"]
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / script), *arguments], check=True, env=os.environ | ONE_THREAD)


def auroc(folder: Path) -> float:
    return json.loads((folder / "report" / "metrics.json").read_text(encoding="utf-8"))["auroc"]


def measured(work: Path, data_path: str, digit: int, form: str, seed: int) -> float:
    """Measures the AUROC of that run on the whole test split; trains it first if necessary."""
    folder = work / f"{digit}_{form}_{seed}"
    if not (folder / "report" / "metrics.json").is_file():
        settings = [f"--normal_class={digit}", f"--seed={seed}", f"--data_path={data_path}", *BUDGET, *FORMS[form]]
        run("run.py", f"--flagfile={ROOT / 'flags' / 'mnist.flags'}", f"--run_dir={folder}", *settings)
    return auroc(folder)


def gan_seconds(folder: Path) -> float:
    from fanogan_tf.methods import METHODS
    from fanogan_tf.run_directory import RunDirectory

    return METHODS["fanogan"].training_seconds(RunDirectory(folder))["gan"]


def rescored(folder: Path) -> float:
    """Measures the AUROC of a float32 run scored in bfloat16, then restores its own scores."""
    with_own = auroc(folder)
    run("score.py", f"--run_dir={folder}", "--mixed_precision=bfloat16")
    run("evaluate.py", f"--run_dir={folder}")
    with_bfloat16 = auroc(folder)
    run("score.py", f"--run_dir={folder}")
    run("evaluate.py", f"--run_dir={folder}")
    assert auroc(folder) == with_own, f"{folder}: scoring the same twice gave {auroc(folder)} and {with_own}"
    return with_bfloat16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_path", required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    values = {(digit, form): [] for digit in DIGITS for form in FORMS}
    for seed in SEEDS:
        for form in FORMS:
            with ThreadPoolExecutor() as pool:
                found = pool.map(lambda digit: measured(arguments.work, arguments.data_path, digit, form, seed), DIGITS)  # noqa: B023
            for digit, value in zip(DIGITS, found, strict=True):
                values[digit, form].append(value)
    rows = [
        {
            "normal_class": digit,
            "form": form,
            "auroc_by_seed": [round(value, 4) for value in found],
            "mean": round(statistics.mean(found), 4),
            "sd": round(statistics.stdev(found), 4),
            "gan_seconds": round(statistics.mean(gan_seconds(arguments.work / f"{digit}_{form}_{seed}") for seed in SEEDS), 1),
        }
        for (digit, form), found in values.items()
    ]
    scoring = [
        {
            "normal_class": digit,
            "scored_in_float32": round(values[digit, "folded"][0], 5),
            "scored_in_bfloat16": round(rescored(arguments.work / f"{digit}_folded_{SEEDS[0]}"), 5),
        }
        for digit in DIGITS
    ]
    harness.write(
        "quality",
        "AUROC on the whole MNIST test split, one digit normal, flags/mnist.flags with a small budget: " + " ".join(BUDGET),
        "python benchmarks/quality.py --data_path=mnist.npz --work=DIR",
        {"seeds": list(SEEDS), "training": rows, "scoring_of_the_folded_run_with_seed_0": scoring},
    )


if __name__ == "__main__":
    main()
