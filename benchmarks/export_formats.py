"""Exported models in every runtime: python benchmarks/export_formats.py

Every kind of detector in every format, untrained networks of 16x16: by how much its scores differ from TensorFlow's, or why it is
refused; and so for what stands before or around a detector, and for coarser weights in networks of 64x64. And how fast f-AnoGAN's
scores come, in one interleaved run: TensorFlow, ONNX Runtime, OpenVINO and LiteRT.
"""

import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
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


def around() -> Iterator[tuple[str, Detector]]:
    """The encoder's detector with all that may stand before or around it."""
    for how in ("image", "percentile", "clahe"):
        detector = served_models.detector()
        detector.spec = dataclasses.replace(detector.spec, standardise=how)
        yield f"encoder, --standardise={how}", detector
    for how in ("crop", "cut_out"):
        detector = served_models.detector()
        detector.front = Front(finder(), how)
        yield f"encoder, --region={how} by a finder", detector
    members = MembersDetector([served_models.detector(seed=seed) for seed in (0, 1)], [{}, {}])
    normal = served_models.test_set().float_images(np.arange(20))
    members.calibration = calibrate(members.measure(normal)["score"], "quantile", 0.05)
    yield "encoder, --members=2", members


def images_for(detector: Detector) -> np.ndarray:
    """Noise; whole films with two dark lungs where those are looked for."""
    shape = export.sent_shape(detector)
    if detector.front is None:
        return np.random.default_rng(1).integers(0, 256, (16, *shape)).astype(np.float32)
    return np.stack([film(seed)[0] for seed in range(4)])[..., np.newaxis].astype(np.float32) / np.float32(257)


def differences(detectors: Iterable[tuple[str, Detector]]) -> dict:
    found: dict[str, dict] = {}
    for kind, detector in detectors:
        images = images_for(detector)
        expected = {name: values.numpy() for name, values in export.signatures(detector)["serving_default"](images).items()}
        found[kind] = {}
        for name, choices in formats.WEIGHTS.items():
            for weights in choices:
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        path = formats.write(detector, Path(folder) / "model", name, weights, {})
                        said = runtimes.load(path)(image=images)
                    except UserError as error:
                        found[kind][f"{name} {weights}"] = str(error)
                        continue
                    except Exception as error:
                        found[kind][f"{name} {weights}"] = f"fails when it runs: {' '.join(str(error).split())[:200]}"
                        continue
                    apart = np.abs(said["score"] - expected["score"]) / np.abs(expected["score"])
                    found[kind][f"{name} {weights}"] = {
                        "largest_relative_difference": float(f"{apart.max():.2g}"),
                        "same_decisions": bool((said["anomalous"] == expected["anomalous"]).all()),
                        "bytes": sum(part.stat().st_size for part in Path(folder).iterdir() if "card" not in part.name),
                    }
        print(kind, found[kind], flush=True)
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
        print(side, dim, found, flush=True)
    return found


def keep_to(cores: int) -> None:
    """Keeps all threads of this process to so many cores; Linux only."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), range(cores))


def full(quick: bool) -> dict:
    kinds = ["encoder"] if quick else list(detector_kinds())
    large = synthetic.detector(NetworkSpec((64, 64, 1), dim=64, latent_dim=128))
    return {
        "differences": differences((kind, served_models.detector(kind)) for kind in kinds)
        | ({} if quick else differences(around()) | differences([("encoder, 64x64, dim 64", large)])),
        "images_per_second": {"32x32, dim 16": speeds(32, 16, (1, 64), 3 if quick else 15)}
        | ({} if quick else {"64x64, dim 64": speeds(64, 64, (1, 64), 5)}),
    }


if __name__ == "__main__":
    command.main("export_formats", WHAT, full)
