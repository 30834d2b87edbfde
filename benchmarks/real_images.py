"""The scores on real images: digits, clothes, retinas and lungs, one row per data set, class and seed.

python benchmarks/real_images.py --data=DIR --work=DIR -> results/real_images.json, with --only=mnist,oct --seeds=0,1 --members=3

--data holds mnist.npz and fashion_mnist.npz in the layout of keras.datasets, and the folders retina_oct, chest_xray/lungcrop128
and chest_xray_nih as `--dataset=folder` has them; where each comes from, its flagfile says. A row is written once it is there,
and what has a row is not run again: after an interruption, or another day, the same command goes on.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import harness
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from fanogan_tf import files
from fanogan_tf.run_directory import RunDirectory

NAME = "real_images"
WHAT = "AUROC of every score of f-AnoGAN on the whole test splits, which are scored once per class and seed; 95 % intervals."
COMMAND = "python benchmarks/real_images.py --data=DIR --work=DIR"


@dataclass(frozen=True)
class Data:
    """One data set: its place below --data, the flags of its runs, its classes, and what `fanogan evaluate` is given."""

    path: str
    flags: tuple[str, ...]
    classes: tuple[str, ...] = ("",)
    evaluate: tuple[str, ...] = ()


CLASSES = tuple(map(str, range(10)))
DATA = {
    "mnist": Data("mnist.npz", ("--flagfile=mnist",), CLASSES),
    "fashion_mnist": Data("fashion_mnist.npz", ("--flagfile=fashion_mnist",), CLASSES),
    "oct": Data("retina_oct", ("--flagfile=retina_oct",)),
    "lungs": Data("chest_xray/lungcrop128", ("--flagfile=chest_xray",)),
    "nih": Data("chest_xray_nih", ("--flagfile=chest_xray_nih",), evaluate=("--subgroups=csv:meta.csv:view",)),
}


def fanogan(command: str, *arguments: str) -> None:
    start = "import sys; from fanogan_tf.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", start, command, *arguments], check=True)


def row_of(data: str, one_class: str, seed: int, members: int, root: Path, work: Path) -> dict:
    """Trains, scores and evaluates one run; returns its row. Several members are the runs of their seeds, which are there."""
    about = DATA[data]
    name = "_".join(filter(None, (data, one_class)))
    run = work / "_".join(filter(None, (name, str(seed), f"of_{members}" if members > 1 else "")))
    of_class = (f"--normal_class={one_class}",) if one_class else ()
    flags = (*about.flags, f"--data_path={root / about.path}", *of_class, f"--seed={seed}", f"--members={members}")
    if members > 1:
        _gather(RunDirectory(run), [RunDirectory(work / f"{name}_{seed + number}") for number in range(members)])
    if not (run / "report" / "metrics.json").is_file():
        fanogan("run", *flags, f"--run_dir={run}")
    if about.evaluate:
        fanogan("evaluate", f"--run_dir={run}", *about.evaluate)
    values = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    return {
        "data": data,
        "class": one_class,
        "normal": values["normal_images"],
        "anomalous": values["anomalous_images"],
        "seed": seed,
        "members": members,
        "robust": _interval(values["reliability"]["auroc"], "value"),
        "scores": {name: _rounded(found["auroc"]) for name, found in values["per_term"].items()},
        "kinds": {name: _interval(found["interval"] | found) for name, found in values["per_class"].items() if found["auroc"]},
        "subgroups": {f"{s['column']} {s['value']}": _interval(s) for s in values["subgroups"]},
        "no_model": {
            name: _interval(found) | {"robust_above": _interval(found["difference"], "value", "difference")}
            for name, found in values["no_model"].items()
        },
        "training_seconds": _training_seconds(run),
        "cpu": harness.machine()["cpu"],
        "flags": " ".join(about.flags),
        **(_sharpness_matched(run) if data == "lungs" else {}),
    }


def _gather(run: RunDirectory, singles: list[RunDirectory]) -> None:
    """Makes `run` one of several members that are trained already: each is what a run of its seed is."""
    if run.path.exists() or not all(single.path.is_dir() for single in singles):
        return
    with files.whole_folder(run.path) as folder:
        for number, single in enumerate(singles):
            for phase in ("gan", "encoder"):
                shutil.copytree(single.path / phase, RunDirectory(folder).member(number).path / phase)
        flags = singles[0].flags.read_text(encoding="utf-8").splitlines()
        of_all = [f"--members={len(singles)}" if flag.startswith("--members=") else flag for flag in flags]
        RunDirectory(folder).flags.write_text("\n".join(of_all) + "\n", encoding="utf-8")
        shutil.copy(singles[0].path / "data.json", folder)


def _sharpness_matched(run: Path) -> dict:
    """The AUROC of each kind once every test film is blurred to one sharpness: that of the smoothest tenth."""
    import fanogan_tf
    from fanogan_tf import datasets

    detector, kept = fanogan_tf.load(run), RunDirectory(run)
    test = datasets.load(kept.kept_options(), kept.cache).test
    images = test.float_images(np.arange(len(test)))
    sharp = np.array([sharpness(image[..., 0]) for image in images])
    goal = np.quantile(sharp, 0.1)
    blurred = np.stack([blurred_to(image[..., 0], goal) for image in images])[..., np.newaxis]
    parts = [detector.measure(blurred[first : first + 64]) for first in range(0, len(blurred), 64)]
    after = np.array([sharpness(image[..., 0]) for image in blurred])
    result: dict[str, dict] = {}
    for name in ("robust_score", "paper_score"):
        scores = np.concatenate([part[name] for part in parts])
        result[name] = {kind: _area(test, scores, kind) for kind in sorted(set(test.class_names[test.labels == 1]))}
        result[name]["all"] = _rounded(roc_auc_score(test.labels, scores))
    return {"sharpness_matched": result | {"auroc_of_smoothness": _rounded(roc_auc_score(test.labels, -after))}}


def _area(test, scores: np.ndarray, kind: str) -> float:
    chosen = (test.labels == 0) | (test.class_names == kind)
    return _rounded(roc_auc_score(test.labels[chosen], scores[chosen]))


def sharpness(image: np.ndarray) -> float:
    """The logarithm of the mean squared Laplacian of (H, W)."""
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return float(np.log(np.square(4.0 * image[1:-1, 1:-1] - around).mean() + 1e-9))


def blurred_to(image: np.ndarray, goal: float) -> np.ndarray:
    """The image (H, W) blurred by a Gaussian just enough to be no sharper than `goal`."""
    if sharpness(image) <= goal:
        return image
    low, high = 0.0, 8.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if sharpness(gaussian_filter(image, middle)) > goal else (low, middle)
    return gaussian_filter(image, high)


def _training_seconds(run: Path) -> float:
    from fanogan_tf.methods import METHODS

    kept = RunDirectory(run)
    return round(sum(METHODS[kept.kept_options().method].training_seconds(kept).values()))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _interval(found: dict, name: str = "auroc", called: str = "auroc") -> dict:
    return {called: _rounded(found[name]), "low": _rounded(found["low"]), "high": _rounded(found["high"])}


def read() -> list[dict]:
    path = harness.RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []


def summary(rows: list[dict]) -> list[dict]:
    """Mean, least and most over seeds, of each data set, class and number of members; then over classes."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["data"], row["class"], row["members"]), []).append(row)
    found = []
    for (data, one_class, members), some in sorted(groups.items()):
        areas = [row["robust"]["auroc"] for row in some]
        paper = [row["scores"]["paper_score"] for row in some]
        means = {"robust": round(statistics.mean(areas), 4), "paper": round(statistics.mean(paper), 4)}
        spread = {"seeds": len(some), "least": min(areas), "most": max(areas)}
        found.append({"data": data, "class": one_class, "members": members} | means | spread)
    for data, members in sorted({(row["data"], row["members"]) for row in found if row["class"]}):
        some = [row for row in found if (row["data"], row["members"]) == (data, members) and row["class"]]
        means = {name: round(statistics.mean(row[name] for row in some), 4) for name in ("robust", "paper")}
        found.append({"data": data, "class": f"mean of {len(some)}", "members": members} | means)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default=",".join(DATA))
    parser.add_argument("--classes", default="")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--members", type=int, default=1, help="N > 1: as many seeds from each on, then all as one")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time; on a GPU several share it")
    arguments = parser.parse_args()
    chosen = set(arguments.classes.split(",")) if arguments.classes else set()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    single = sorted({seed + number for seed in seeds for number in range(arguments.members)})
    writing = Lock()

    def add(one: tuple[str, str, int, int]) -> None:
        found = row_of(*one, arguments.data, arguments.work)
        with writing:
            rows = [*read(), found]
            harness.write(NAME, WHAT, COMMAND, {"summary": summary(rows), "rows": rows})

    # None takes all of a GPU's memory for itself.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    for members, first in [(1, single)] + [(arguments.members, seeds)] * (arguments.members > 1):
        wanted = [
            (data, one_class, seed, members)
            for seed in first
            for data in arguments.only.split(",")
            for one_class in DATA[data].classes
            if not chosen or one_class in chosen
        ]
        there = {(row["data"], row["class"], row["seed"], row["members"]) for row in read()}
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(add, [one for one in wanted if one not in there]))


if __name__ == "__main__":
    main()
