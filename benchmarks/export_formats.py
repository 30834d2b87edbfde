"""Exported models in every runtime: python benchmarks/export_formats.py

Every kind of detector in every format, untrained networks of 16x16: by how much its scores differ from TensorFlow's, or why it is
refused. And how fast f-AnoGAN's scores come, in one interleaved run: TensorFlow, ONNX Runtime, OpenVINO and LiteRT.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import command
import numpy as np
import synthetic
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.methods import detector_kinds
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.serving import export, formats, runtimes

sys.path.append(str(Path(__file__).parents[1]))
from tests.helpers import served_models

WHAT = (
    "Exported files against the SavedModel: largest relative difference of a score, bytes, images per second. Untrained networks."
)


def differences(kinds: list[str]) -> dict:
    images = np.random.default_rng(1).integers(0, 256, (16, *served_models.SHAPE)).astype(np.float32)
    found: dict[str, dict] = {}
    for kind in kinds:
        detector = served_models.detector(kind)
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
    """Images per second, the median of interleaved rounds, with the runtime's own choice of threads and with one."""
    detector = synthetic.detector(NetworkSpec((side, side, 1), dim=dim, latent_dim=128))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        models = {}
        for name in formats.WEIGHTS:
            path = formats.write(detector, Path(folder) / "model", name, "float32", {})
            models[name] = runtimes.load(path)
            models[f"{name}, one thread"] = runtimes.load(path, threads=1)
        serving = export.signatures(detector)["serving_default"]
        for batch in batches:
            images = np.random.default_rng(0).integers(0, 256, (batch, side, side, 1)).astype(np.float32)
            calls = {"tensorflow": lambda images=images: serving(tf.constant(images))["score"].numpy()}
            calls |= {name: lambda model=model, images=images: model(image=images) for name, model in models.items()}
            seconds: dict[str, list[float]] = {name: [] for name in calls}
            for turn in range(rounds + 1):
                for name, call in calls.items():
                    began = time.perf_counter()
                    call()
                    if turn:  # The first one prepares.
                        seconds[name].append(time.perf_counter() - began)
            found[f"batch {batch}"] = {name: round(batch / statistics.median(taken), 1) for name, taken in seconds.items()}
        print(side, dim, found, flush=True)
    return found


def full(quick: bool) -> dict:
    kinds = ["encoder"] if quick else list(detector_kinds())
    return {
        "differences": differences(kinds),
        "images_per_second": {"32x32, dim 16": speeds(32, 16, (1, 64), 3 if quick else 15)}
        | ({} if quick else {"64x64, dim 64": speeds(64, 64, (1, 64), 5)}),
    }


if __name__ == "__main__":
    command.main("export_formats", WHAT, full)
