"""The chest X-ray thesis's table on real films: methods on whole films, on lung crops and with all but the lungs black.

python benchmarks/chest_xray.py --data=DIR --development=DIR --work=DIR -> results/chest_xray.json
    with --methods=ganomaly,roi_sure --regions=none --seeds=0: a part of the table

--data is a folder as `--dataset=folder` has it, of whole films with train_regions/ and test_regions/. A finder of lungs is
trained on these first; every other run takes its lungs from it, in training as in scoring. A row is written once it is there,
and what has a row is not run again. Other films, such as NIH's, by the lungs of these:

python benchmarks/chest_xray.py --name=chest_xray_nih --flagfile=chest_xray_nih --data=DIR --lungs=WORK/lungs --work=DIR
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import harness
import numpy as np

NAME = "chest_xray"
WHAT = "AUROC on chest films, by what is wrong with them; test films are scored once per row. 95 % intervals."
_NIH = "--name=chest_xray_nih --flagfile=chest_xray_nih --data=DIR --lungs=WORK/lungs --work=DIR --subgroups csv:views.csv:view"
COMMANDS = {
    NAME: "python benchmarks/chest_xray.py --data=DIR --development=DIR --work=DIR",
    "chest_xray_nih": f"python benchmarks/chest_xray.py {_NIH} --groups=--group_by=csv:views.csv:patient",
}
METHODS = ("pca", "ocsvm", "ganomaly", "roi_l2", "roi_sure", "roi_pure", "unet", "ganomaly_original", "fanogan", "fanogan_dcgan")
REGIONS = ("none", "crop", "cut_out")
SIDE = 64
SENSITIVITY, PREVALENCE = 0.98, 0.05
NOISE = (0.0, 0.02, 0.05, 0.1)  # Standard deviations; films are in [-1, 1].


def fanogan(command: str, *arguments: str) -> dict:
    """Runs a command; returns how long it took and its peak of memory: seconds and MiB.

    Raises:
      SystemExit: it failed.
    """
    start = time.perf_counter()
    code = "import sys; from fanogan_tf.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, *command.split(), *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"fanogan {command} failed; the same command goes on from there")
    return {"seconds": round(time.perf_counter() - start), "peak_mib": usage.ru_maxrss // 1024}


def finder(asked: argparse.Namespace, kept: dict) -> Path:
    """The run of the finder of lungs, trained where it is not there yet; its figures go into `kept`."""
    run = asked.lungs or asked.work / "lungs"
    if not (run / "lungs.json").is_file():
        took = fanogan("lungs train", "--flagfile=lungs", f"--data_path={asked.data}", f"--run_dir={run}", *asked.groups)
        (run / "took.json").write_text(json.dumps(took), encoding="utf-8")
    kept["lungs"] = {name: json.loads((run / f"{name}.json").read_text(encoding="utf-8")) for name in ("lungs", "took")}
    return run


def row(asked: argparse.Namespace, lungs: Path, method: str, region: str, seed: int) -> dict:
    """Trains, scores and evaluates one run of the comparison."""
    from fanogan_tf import datasets, pipeline
    from fanogan_tf.methods import METHODS
    from fanogan_tf.run_directory import RunDirectory

    root = folder_of(asked.work, region, asked.side)
    took_lungs = (f"--region={region}", f"--region_from={lungs}")
    what = (f"--methods={method}", f"--image_size={asked.side}", f"--seed={seed}", f"--run_dir={root}")
    took = fanogan("reproduce", f"--flagfile={asked.flagfile}", f"--data_path={asked.data}", *asked.groups, *took_lungs, *what)
    run = RunDirectory(root / f"seed_{seed}" / method, root / "cache")
    options = run.kept_options()
    pipeline.evaluate(run, options, asked.subgroups)
    values = json.loads((run.report / "metrics.json").read_text(encoding="utf-8"))
    return {
        "method": method,
        "region": region,
        "side": asked.side,
        "seed": seed,
        "normal": values["normal_images"],
        "anomalous": values["anomalous_images"],
        "all": _interval(values["reliability"]["auroc"], "value"),
        "kinds": {name: _interval(of["interval"] | of) for name, of in values["per_class"].items() if of["auroc"]},
        "subgroups": {f"{of['column']} {of['value']}": _interval(of) for of in values["subgroups"]},
        "pixel": _of_pixels(values.get("pixel")),
        "terms": {name: round(of["auroc"], 4) for name, of in values["per_term"].items()},
        "no_model": {name: _interval(of) for name, of in values["no_model"].items()}
        | simple(datasets.load(options, run.cache), region),
        "iterations": options.iterations,
        "training_seconds": round(sum(METHODS[options.method].training_seconds(run).values())),
        "peak_mib": took["peak_mib"],
        "screening": screened(run, options, asked.development) if asked.development else None,
        "noise": noisy(run, options),
    }


def folder_of(work: Path, region: str, side: int) -> Path:
    """Where the runs on images of a region and a side lie."""
    return work / (region if side == SIDE else f"{region}_{side}")


def screened(run, options, development: Path) -> dict:
    """What a filter does to the test films that was set for a sensitivity of .98 by other diseased films, see `screening`."""
    import fanogan_tf
    from fanogan_tf.data.image_stream import ImageStream
    from fanogan_tf.detection import score_table, scoring
    from fanogan_tf.evaluation import screening

    detector, table = fanogan_tf.load(run.path), score_table.read(run.scores)
    diseased = ImageStream([development], detector.image_shape, cut=detector.cut)
    scores = np.array([row["score"] for row in scoring.score_rows(detector, diseased, 64)])
    cut, missed = screening.filter_for(scores, SENSITIVITY)
    found = screening.figures(dataclasses.replace(table, certainly_normal=table.score < cut), PREVALENCE)
    shown = ("taken_off", "sensitivity", "specificity", "taken_off_at_prevalence", "negative_predictive_value")
    return {
        "development": len(scores),
        "not_found": len(diseased.unfit),
        "below": missed,
        **{name: {key: _rounded(found[name][key]) for key in ("value", "low", "high")} for name in shown},
    }


def simple(splits, region: str) -> dict:
    """Two more scores without a network: nine statistics of grey levels, and how much brighter the lungs are than the rest."""
    from fanogan_tf.evaluation import intervals

    train, test = (statistics(part.float_images(np.arange(len(part)))[..., 0]) for part in (splits.train, splits.test))
    middle, inverse = train.mean(axis=0), np.linalg.inv(np.cov(train.T) + 1e-6 * np.eye(train.shape[1]))
    scores = {"nine statistics, Mahalanobis": np.einsum("ni,ij,nj->n", test - middle, inverse, test - middle)}
    if region == "none":
        images, lungs = splits.test.inputs(np.arange(len(splits.test)), ("image", "region"))
        sums = [(part * images).sum(axis=(1, 2, 3)) / np.maximum(part.sum(axis=(1, 2, 3)), 1) for part in (lungs, 1 - lungs)]
        scores["lungs brighter than the rest"] = sums[0] - sums[1]
    found = {}
    for name, values in scores.items():
        area, interval = intervals.auroc(values[splits.test.labels == 0], values[splits.test.labels == 1])
        found[name] = {"auroc": round(area, 4), "low": _rounded(interval.low), "high": _rounded(interval.high)}
        normal = values[splits.test.labels == 0]
        for kind in sorted(set(splits.test.class_names[splits.test.labels == 1].tolist())):
            found[name][kind] = round(intervals.auroc(normal, values[splits.test.class_names == kind])[0], 4)
    return found


def statistics(images: np.ndarray) -> np.ndarray:
    """Mean, deviation, five percentiles, sharpness and skewness of images (N, H, W): (N, 9)."""
    flat = images.reshape(len(images), -1)
    mean, deviation = flat.mean(axis=1), flat.std(axis=1) + 1e-6
    around = images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    sharp = np.log(np.square(4.0 * images[:, 1:-1, 1:-1] - around).mean(axis=(1, 2)) + 1e-9)
    skew = (((flat - mean[:, None]) / deviation[:, None]) ** 3).mean(axis=1)
    return np.stack([mean, deviation, *np.percentile(flat, [5, 25, 50, 75, 95], axis=1), sharp, skew], axis=1)


def noisy(run, options) -> dict:
    """The AUROC of the test films with Gaussian noise added to them: standard deviation -> all, with its interval."""
    import fanogan_tf
    from fanogan_tf import datasets
    from fanogan_tf.evaluation import intervals

    detector, test = fanogan_tf.load(run.path), datasets.load(options, run.cache).test
    images = test.float_images(np.arange(len(test)))
    found = {}
    for sigma in NOISE:
        noise = np.random.default_rng(0).normal(0.0, 1.0, images.shape).astype(np.float32)
        changed = np.clip(images + np.float32(sigma) * noise, -1.0, 1.0)
        scores = np.concatenate([detector.measure(changed[i : i + 64])["score"] for i in range(0, len(changed), 64)])
        np.save(run.path / f"noise_{sigma:g}.npy", scores)
        area, interval = intervals.auroc(scores[test.labels == 0], scores[test.labels == 1])
        found[f"{sigma:g}"] = {"auroc": round(area, 4), "low": _rounded(interval.low), "high": _rounded(interval.high)}
    return found


def differences(work: Path, rows: list[dict]) -> list[dict]:
    """What each method has above plain GANomaly on the same films and noise, by the paired test: AUROC, interval and p."""
    from fanogan_tf import datasets
    from fanogan_tf.evaluation import intervals
    from fanogan_tf.run_directory import RunDirectory

    found = []
    there = {(of["side"], of["region"], of["seed"], of["method"]) for of in rows}
    for side, region, seed, method in sorted(there):
        if not method.startswith("roi_") or (side, region, seed, "ganomaly") not in there:
            continue
        root = folder_of(work, region, side)
        folder = root / f"seed_{seed}"
        run = RunDirectory(folder / method, root / "cache")
        if not run.flags.is_file():
            continue
        labels = datasets.load(run.kept_options(), run.cache).test.labels
        for sigma in NOISE:
            pair = np.stack([np.load(folder / name / f"noise_{sigma:g}.npy") for name in (method, "ganomaly")])
            tested = intervals.compare(pair[:, labels == 0], pair[:, labels == 1])
            found.append(
                {
                    "region": region,
                    "side": side,
                    "seed": seed,
                    "method": method,
                    "noise": sigma,
                    "above_ganomaly": round(tested.difference, 4),
                    "low": _rounded(tested.interval.low),
                    "high": _rounded(tested.interval.high),
                    "p": None if tested.p is None else float(f"{tested.p:.2g}"),
                }
            )
    return found


def _of_pixels(found: dict | None) -> dict | None:
    """Where there are masks: the AUROC of pixels, the share of boxes of which half is marked, and of films pointed right at."""
    if not found:
        return None
    regions, pointing = found["regions"], found["pointing"]
    hit = {"boxes": regions["regions"], "boxes_hit": round(regions["hit_rate"], 4), "aupro": round(regions["aupro"], 4)}
    return {"auroc": round(found["auroc"], 4), **hit, "pointing": round(pointing["hits"] / pointing["images"], 4)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _interval(found: dict, name: str = "auroc") -> dict:
    return {"auroc": _rounded(found[name]), "low": _rounded(found["low"]), "high": _rounded(found["high"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default=NAME, choices=COMMANDS, help="of the result in results/")
    parser.add_argument("--flagfile", default="chest_xray")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--groups", nargs="*", default=[], help="flags that keep a patient on one side, where the flagfile has none"
    )
    parser.add_argument("--subgroups", nargs="*", default=[], help="see fanogan evaluate")
    parser.add_argument("--development", type=Path, help="diseased films that are neither trained nor tested on, for the filter")
    parser.add_argument("--lungs", type=Path, help="a run of fanogan lungs train; without it, one is trained on the films")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--regions", default=",".join(REGIONS))
    parser.add_argument("--side", type=int, default=SIDE, help="of the images, in pixels")
    parser.add_argument("--seeds", default="0,1")
    asked = parser.parse_args()
    path = harness.RESULTS / f"{asked.name}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": []}
    rows, figures = kept["rows"], {}
    lungs = finder(asked, figures)
    for seed in map(int, asked.seeds.split(",")):
        for region in asked.regions.split(","):
            for method in asked.methods.split(","):
                if (method, region, asked.side, seed) in {(of["method"], of["region"], of["side"], of["seed"]) for of in rows}:
                    continue
                # Nothing is to be learned of lungs where all the rest is black already.
                if method.startswith("roi_") and region == "cut_out":
                    continue
                rows.append(row(asked, lungs, method, region, seed))
                found = differences(asked.work, rows) or kept.get("differences", [])
                harness.write(asked.name, WHAT, COMMANDS[asked.name], figures | {"rows": rows, "differences": found})


if __name__ == "__main__":
    main()
