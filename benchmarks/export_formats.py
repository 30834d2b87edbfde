"""Exported models in every runtime: python benchmarks/export_formats.py

Every kind of detector in every format, untrained networks of 16x16: by how much its scores differ from TensorFlow's, or why it is
refused; and so for what stands before or around a detector, and for coarser weights in networks of 64x64. And how fast f-AnoGAN's
scores come, in one interleaved run: TensorFlow, ONNX Runtime, OpenVINO and LiteRT.
"""

import dataclasses
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import command
import numpy as np
import synthetic
import tensorflow as tf

from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.members import MembersDetector
from fanogan_tf.detection.regions import Front
from fanogan_tf.errors import UserError
from fanogan_tf.methods import detector_kinds
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.serving import export, formats, runtimes

sys.path.append(str(Path(__file__).parents[1]))
from tests.detection.test_regions import film, finder
from tests.helpers import served_models

WHAT = (
    "Exported files against the SavedModel: largest relative difference of a score, bytes, images per second. Untrained networks."
)


def standardised(how: str, sharpness: float = 0.0) -> Detector:
    detector = served_models.detector()
    detector.spec = dataclasses.replace(detector.spec, standardise=how, sharpness=sharpness)
    return detector


def cut(how: str) -> Detector:
    detector = served_models.detector()
    detector.front = Front(finder(), how)
    return detector


def members() -> Detector:
    detector = MembersDetector([served_models.detector(seed=seed) for seed in (0, 1)], [{}, {}])
    normal = served_models.test_set().float_images(np.arange(20))
    detector.calibration = calibrate(detector.measure(normal)["score"], "quantile", 0.05)
    return detector


KINDS: dict[str, Callable[[], Detector]] = {kind: partial(served_models.detector, kind) for kind in detector_kinds()}
# The encoder's detector with all that may stand before or around it, and in the paper's size.
KINDS |= {f"encoder, --standardise={how}": partial(standardised, how) for how in ("image", "percentile", "clahe")}
KINDS |= {"encoder, --standardise=image --sharpness=0.4": partial(standardised, "image", 0.4)}
KINDS |= {f"encoder, --region={how} by a finder": partial(cut, how) for how in ("crop", "cut_out")}
KINDS |= {
    "encoder, --members=2": members,
    "encoder, 64x64, dim 64": lambda: synthetic.detector(NetworkSpec((64, 64, 1), dim=64, latent_dim=128)),
}


def images_for(detector: Detector) -> np.ndarray:
    """Noise; whole films with two dark lungs where those are looked for."""
    shape = export.sent_shape(detector)
    if detector.front is None:
        return np.random.default_rng(1).integers(0, 256, (16, *shape)).astype(np.float32)
    return np.stack([film(seed)[0] for seed in range(4)])[..., np.newaxis].astype(np.float32) / np.float32(257)


def differences(kind: str, runtime: str) -> dict[str, dict]:
    """How far the scores of a kind's files are from TensorFlow's, by their weights; or why there is no file."""
    detector = KINDS[kind]()
    images = images_for(detector)
    expected = {name: values.numpy() for name, values in export.signatures(detector)["serving_default"](images).items()}
    found = {}
    for weights in formats.WEIGHTS[runtime]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                said = runtimes.load(formats.write(detector, Path(folder) / "model", runtime, weights, {}))(image=images)
            except UserError as error:
                found[f"{runtime} {weights}"] = {"refused": str(error)}
                continue
            apart = np.abs(said["score"] - expected["score"]) / np.abs(expected["score"])
            found[f"{runtime} {weights}"] = {
                "largest_relative_difference": float(f"{apart.max():.2g}"),
                "same_decisions": bool((said["anomalous"] == expected["anomalous"]).all()),
                "bytes": sum(part.stat().st_size for part in Path(folder).iterdir() if "card" not in part.name),
            }
    return found


def speeds(side: int, dim: int, batches: tuple[int, ...], rounds: int) -> dict:
    """Images per second, the median of interleaved rounds, with two threads and with one.

    TensorFlow's threads cannot be changed while it runs: for one, the whole process is kept to one core.
    """
    detector = synthetic.detector(NetworkSpec((side, side, 1), dim=dim, latent_dim=128))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        models = {}
        for name in formats.WEIGHTS:
            path = formats.write(detector, Path(folder) / "model", name, "float32", {})
            for threads in (2, 1):
                models[f"{name}, {threads} threads"] = runtimes.load(path, threads=threads)
        serving = export.signatures(detector)["serving_default"]
        for batch in batches:
            images = np.random.default_rng(0).integers(0, 256, (batch, side, side, 1)).astype(np.float32)
            scored = lambda images=images: serving(tf.constant(images))["score"].numpy()  # noqa: E731
            calls = {"tensorflow, 2 threads": scored, "tensorflow, 1 threads": scored}
            calls |= {name: lambda model=model, images=images: model(image=images) for name, model in models.items()}
            seconds: dict[str, list[float]] = {name: [] for name in calls}
            for turn in range(rounds + 1):
                for name, call in calls.items():
                    keep_to(1 if name == "tensorflow, 1 threads" else 2)
                    began = time.perf_counter()
                    call()
                    if turn:  # The first one prepares.
                        seconds[name].append(time.perf_counter() - began)
            found[f"batch {batch}"] = {name: round(batch / statistics.median(taken), 1) for name, taken in seconds.items()}
    return found


def keep_to(cores: int) -> None:
    """Keeps all threads of this process to so many cores; Linux only."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), range(cores))


def measure(part: str, **arguments) -> dict:
    return {"differences": differences, "speeds": speeds}[part](**arguments)


def full(quick: bool) -> dict:
    """Each kind and runtime in a process of its own: the converters give no memory back."""
    found: dict[str, dict] = {kind: {} for kind in (["encoder"] if quick else KINDS)}

    def add(kind: str, runtime: str) -> None:
        found[kind] |= command.alone(part="differences", kind=kind, runtime=runtime)
        print(kind, found[kind], flush=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda both: add(*both), itertools.product(found, formats.WEIGHTS)))
    sizes = {"32x32, dim 16": (32, 16, 3 if quick else 15)} | ({} if quick else {"64x64, dim 64": (64, 64, 5)})
    return {
        "differences": found,
        "images_per_second": {
            name: command.alone(part="speeds", side=side, dim=dim, batches=(1, 64), rounds=rounds)
            for name, (side, dim, rounds) in sizes.items()
        },
    }


if __name__ == "__main__":
    command.main("export_formats", WHAT, full, measure)
