"""The doctor on runs that were broken on purpose, and on good ones: python benchmarks/doctor.py --work=DIR

Every run is of the digits that scikit-learn brings along, 16x16, with the settings of `--flagfile=digits` but for what breaks it.
A run that is there is not made again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import harness
import numpy as np
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

NAME = "doctor"
WHAT = "What fanogan doctor says of ten runs that were broken on purpose and of three good ones; real scans of digits."
SETTINGS = ("--flagfile=digits", "--dataset=folder", "--score=robust")
# The fault -> the checks of which one has to name it.
BROKEN = {
    "learning rate 100 times too high": {"losses"},
    "one training image repeated": {"training images"},
    "20 images": {"training images"},
    "kappa 0": {"kappa"},
    "generator of 10 iterations": {"generator"},
    "test set brighter": {"test images"},
    "test set blurred": {"test images"},
    "duplicated split": {"leaks"},
    "batch normalisation in training mode": {"one at a time"},
    "anomalies among training images": {"strange training images"},
}
GOOD = ("zeros", "sixes", "fours")
FLAGS = {
    "learning rate 100 times too high": ("--learning_rate=3e-2",),
    "kappa 0": ("--score=paper", "--kappa=0"),
    "generator of 10 iterations": ("--iterations=10",),
}
NORMAL = {"zeros": 0, "sixes": 6, "fours": 4}


def images_of(normal: int) -> dict[str, list[np.ndarray]]:
    """Splits of scikit-learn's digits, 16x16 uint8."""
    pixels, labels = load_digits(return_X_y=True)
    digits = [
        np.asarray(Image.fromarray((row.reshape(8, 8) * 15.9).astype(np.uint8)).resize((16, 16), Image.Resampling.BICUBIC))
        for row in pixels
    ]
    of = {digit: [image for image, label in zip(digits, labels, strict=True) if label == digit] for digit in range(10)}
    others = [image for digit in range(10) if digit != normal for image in of[digit]]
    order = np.random.default_rng(0).permutation(len(others))
    strange = [others[place] for place in order]
    return {
        "train_normal": of[normal][:120],
        "test_normal": of[normal][120:],
        "test_anomalous": strange[:150],
        "spare": strange[150:],
    }


def broken(splits: dict[str, list[np.ndarray]], fault: str) -> dict[str, list[np.ndarray]]:
    """The splits with the fault, where it is one of images."""
    train = splits["train_normal"]
    if fault == "one training image repeated":
        train = [train[0]] * 100 + train[:20]
    elif fault == "20 images":
        train = train[:20]
    elif fault == "anomalies among training images":
        train = train[:108] + splits["spare"][:12]
    elif fault == "duplicated split":
        splits["test_normal"] = train[:58]
    for name in ("test_normal", "test_anomalous"):
        if fault == "test set brighter":
            splits[name] = [np.clip(image.astype(int) + 90, 0, 255).astype(np.uint8) for image in splits[name]]
        elif fault == "test set blurred":
            splits[name] = [np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2))) for image in splits[name]]
    return splits | {"train_normal": train}


def run(fault: str, work: Path) -> list[dict]:
    """Trains, scores and examines; returns what the doctor found."""
    folder, images = work / fault.replace(" ", "_"), work / f"{fault.replace(' ', '_')}_images"
    package = Path(__file__).parents[1]
    if fault == "batch normalisation in training mode":
        package = patched(work / "patched")
    if not (folder / "scores.csv").is_file():
        for split, made in broken(images_of(NORMAL.get(fault, 0)), fault).items():
            (images / split).mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(made):
                Image.fromarray(image).save(images / split / f"{number:04d}.png")
        flags = (*SETTINGS, f"--data_path={images}", *FLAGS.get(fault, ()))
        fanogan(package, "run", *flags, f"--run_dir={folder}")
    fanogan(package, "doctor", f"--run_dir={folder}")
    return json.loads((folder / "doctor.json").read_text(encoding="utf-8"))


def patched(folder: Path) -> Path:
    """A copy of the package in which the trained generator goes on normalising by the batch at hand."""
    if not folder.exists():
        here = Path(__file__).parents[1]
        shutil.copytree(here / "fanogan_tf", folder / "fanogan_tf")
        shutil.copytree(here / "flags", folder / "flags")
        path = folder / "fanogan_tf" / "methods" / "fanogan.py"
        text = path.read_text(encoding="utf-8")
        right, wrong = "restored = self.generator(latent, training=False)", "restored = self.generator(latent, training=True)"
        assert text.count(right) == 1
        path.write_text(text.replace(right, wrong), encoding="utf-8")
    return folder


def fanogan(package: Path, *arguments: str) -> None:
    start = f"import sys; sys.path.insert(0, {str(package)!r}); from fanogan_tf.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", start, *arguments], check=True, cwd=package)


def main() -> None:
    parser = argparse.ArgumentParser(description=WHAT)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default="", help="some of the runs, with commas in between; writes nothing")
    given = parser.parse_args()
    chosen = given.only.split(",") if given.only else [*GOOD, *BROKEN]
    found = {fault: run(fault, given.work.resolve()) for fault in chosen}
    rows = []
    for fault, verdicts in found.items():
        problems = {one["name"]: one["evidence"] for one in verdicts if one["state"] == "problem"}
        right = bool(problems.keys() & BROKEN[fault]) if fault in BROKEN else not problems
        rows.append({"run": fault, "good": fault in GOOD, "right": right, "problems": problems})
        print(fault, "right" if right else "WRONG", problems, flush=True)
    if not given.only:
        named = sum(row["right"] for row in rows if not row["good"])
        alarms = sum(not row["right"] for row in rows if row["good"])
        result = {"causes_named": named, "of": len(BROKEN), "false_alarms": alarms, "good_runs": len(GOOD), "runs": rows}
        harness.write(NAME, WHAT, f"python benchmarks/{NAME}.py --work=DIR", result)


if __name__ == "__main__":
    main()
