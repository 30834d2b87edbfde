"""Training and scoring on the GPU that is there, in under four minutes: python benchmarks/gpu.py

Our WGAN-GP as it is, compiled by XLA, and in bfloat16; idiomatic Keras, and PyTorch eager and compiled where that is installed;
`fit` against bare steps; scoring; and what the device attains. What time or memory did not allow, the result names. With --quick,
toy sizes on any device.

Counted are the operations that our form needs (flops.py); PyTorch's plain form does more, and gets no credit for that.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import command

WHAT = (
    "Milliseconds an iteration of WGAN-GP (5 critic updates and 1 generator update) and TFLOP/s, and what else a GPU does here."
)
SIDE, DIM, LATENT, BATCH = range(4)
SIZES = {
    "mnist_32x32_dim16_batch32": (32, 16, 32, 32),
    "64x64_dim64_batch16": (64, 64, 128, 16),
    "64x64_dim64_batch64": (64, 64, 128, 64),
    "64x64_dim16_batch32": (64, 16, 128, 32),
}
QUICK = {"8x8_dim2_batch2": (8, 2, 3, 2)}
OURS = {
    "plain": {"jit_compile": "false"},
    "compiled": {"jit_compile": "true"},
    "bfloat16": {"jit_compile": "false", "mixed_precision": "bfloat16"},
    "compiled_bfloat16": {"jit_compile": "true", "mixed_precision": "bfloat16"},
}
TORCH = {"torch_eager": {}, "torch_compiled": {"compiled": True}, "torch_compiled_bfloat16": {"compiled": True, "bfloat16": True}}
# In this order until the time is over.
ORDER = ["compiled", "compiled_bfloat16", "plain", "torch_eager", "bfloat16", "idiomatic_keras", "torch_compiled_bfloat16"]
SECONDS = 220


def timed(iteration: Callable[[], object], finish: Callable[[], object], seconds: float = 2.0) -> dict[str, float]:
    """Times iterations that need not be awaited one by one. `finish` returns once all of them are done."""
    began = time.perf_counter()
    iteration()
    finish()
    first = time.perf_counter() - began
    began = time.perf_counter()
    iteration()
    finish()
    count = max(2, min(500, int(seconds / (time.perf_counter() - began))))
    began = time.perf_counter()
    for _ in range(count):
        iteration()
    finish()
    return {"milliseconds": round(1000 * (time.perf_counter() - began) / count, 3), "first_seconds": round(first, 1)}


class Newest:
    """Calls a function, and keeps what it returned last: who waits for that has waited for all."""

    def __init__(self, run: Callable):
        self.run = run

    def __call__(self) -> None:
        self.value = self.run()


def tflop(size: tuple[int, int, int, int]) -> float:
    """The operations of one iteration of ours, in 10^12."""
    import flops

    found = flops.updates(*size, "ours")
    return (5 * found["critic"] + found["generator"]) / 1e12


def with_speed(size: tuple[int, int, int, int], times: dict[str, float]) -> dict[str, float]:
    return times | {"tflop_per_second": round(tflop(size) / times["milliseconds"] * 1000, 2)}


def options_of(size: tuple[int, int, int, int], **others):
    from fanogan_tf.options import Options

    sizes = {"image_size": str(size[SIDE]), "dim": size[DIM], "latent_dim": size[LATENT], "batch_size": size[BATCH]}
    return Options(**sizes, **others)


def ours(size: tuple[int, int, int, int], **settings: str) -> dict[str, float]:
    """Our train step on one batch that stays on the device."""
    import tensorflow as tf
    import trainers

    model = trainers.gan(options_of(size, **settings))
    images = tf.random.stateless_uniform((5 * size[BATCH], size[SIDE], size[SIDE], 1), (0, 1), -1.0, 1.0)
    step = tf.function(
        lambda images: tf.stack([*model.train_step(images).values()]), autograph=False, jit_compile=model.jit_compile
    )
    newest = Newest(lambda: step(images))
    return with_speed(size, timed(newest, lambda: newest.value.numpy()))


def idiomatic_keras(size: tuple[int, int, int, int]) -> dict[str, float]:
    import keras_form

    return with_speed(size, timed(keras_form.KerasForm(*size).iteration, lambda: None))


def torch(size: tuple[int, int, int, int], **settings: bool) -> dict[str, float]:
    """PyTorch, in a process without TensorFlow's libraries, which may be others than its own."""
    import json

    root = str(Path(__file__).parent.parent)
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"} | {"PYTHONPATH": root}
    arguments = json.dumps({"size": size, "settings": settings})
    output = subprocess.run(
        [sys.executable, __file__, f"--measure={arguments}"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    ).stdout
    return with_speed(size, json.loads(output.splitlines()[-1]))


def measure_torch(size: list[int], settings: dict[str, bool]) -> dict[str, float]:
    import torch
    import torch_form

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return timed(torch_form.TorchForm(*size, **settings, device=device).iteration, lambda: None)


def through_fit(size: tuple[int, int, int, int], iterations: int) -> dict[str, float]:
    """A whole phase, with its logs and checkpoints: milliseconds an iteration of its last half."""
    import numpy as np
    import synthetic
    import tensorflow as tf
    import trainers

    from fanogan_tf.methods.base import training_feed
    from fanogan_tf.training.loop import Schedule, run_phase

    options = options_of(size)
    model = trainers.gan(options)
    images = synthetic.image_set(synthetic.noise(2_000, size[SIDE]))
    seen: list[float] = []

    def sheet() -> np.ndarray:
        seen.append(time.perf_counter())
        return np.zeros((8, 8), np.uint8)

    graph = tf.function(model.call).get_concrete_function(tf.TensorSpec((None, size[LATENT]))).graph
    half = iterations // 2
    with tempfile.TemporaryDirectory() as folder:
        feed = training_feed(images, 5 * size[BATCH], options)
        run_phase(
            model,
            feed,
            Schedule(iterations, half, 10, half),
            name="fit",
            folder=Path(folder),
            sheets={"clock": sheet},
            graph=graph,
        )
    return with_speed(size, {"milliseconds": round(1000 * (seen[-1] - seen[-2]) / half, 3)})


def scoring(size: tuple[int, int, int, int], count: int) -> dict[str, float]:
    """Images per second from memory to a table of scores, in the second of two rounds."""
    import synthetic

    from fanogan_tf.detection import score_table, scoring
    from fanogan_tf.networks.spec import NetworkSpec

    detector = synthetic.detector(NetworkSpec((size[SIDE], size[SIDE], 1), size[DIM], size[LATENT]))
    images = synthetic.image_set(synthetic.noise(count, size[SIDE]))
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            began = time.perf_counter()
            rows = scoring.score_rows(detector, images, scoring.batch_size_for(0))
            score_table.write(Path(folder) / "scores.csv", rows)
            seconds = time.perf_counter() - began
    return {"images_per_second": round(count / seconds, 1)}


def attainable(side: int) -> dict[str, float]:
    """TFLOP/s of large matrix products and 3x3 convolutions, ten of each in a row."""
    import tensorflow as tf

    found = {}
    for precision in (tf.float32, tf.bfloat16):
        matrix = tf.random.stateless_normal((side, side), (0, 0), dtype=precision)
        images = tf.random.stateless_normal((64, side // 128, side // 128, 256), (0, 0), dtype=precision)
        kernel = tf.random.stateless_normal((3, 3, 256, 256), (0, 1), dtype=precision)
        work = {
            "product": (2.0 * side**3, lambda matrix=matrix: matrix @ matrix),
            "convolution": (2.0 * 64 * (side // 128) ** 2 * 9 * 256**2, lambda i=images, k=kernel: tf.nn.conv2d(i, k, 1, "SAME")),
        }
        for name, (count, run) in work.items():
            newest = Newest(run)
            times = timed(newest, lambda newest=newest: newest.value[0].numpy(), seconds=0.5)
            found[f"{name}_{precision.name}"] = round(count / times["milliseconds"] / 1e9, 2)
    return found


def parts(quick: bool) -> Iterator[tuple[str, str, Callable[[], dict]]]:
    """(size or part, form, what measures it), the most wanted first."""
    sizes = QUICK if quick else SIZES
    forms: dict[str, Callable] = {name: functools.partial(ours, **settings) for name, settings in OURS.items()}
    forms |= {name: functools.partial(torch, **settings) for name, settings in TORCH.items()}
    forms["idiomatic_keras"] = idiomatic_keras
    smallest = next(iter(sizes.values()))
    yield "attainable_tflop_per_second", "", functools.partial(attainable, 256 if quick else 8192)
    yield "scoring", "", functools.partial(scoring, smallest, 200 if quick else 20_000)
    yield "fit", "", functools.partial(through_fit, smallest, 20 if quick else 1_000)
    for form in ORDER:
        for name, size in sizes.items():
            yield name, form, functools.partial(forms[form], size)


def full(quick: bool) -> dict:
    import tensorflow as tf

    began = time.perf_counter()
    gpus = tf.config.list_physical_devices("GPU")
    result: dict = {"device": [tf.config.experimental.get_device_details(gpu) for gpu in gpus] or "CPU", "not_measured": {}}
    for name, form, measure in parts(quick):
        label = f"{name} {form}".strip()
        if time.perf_counter() - began > SECONDS:
            result["not_measured"][label] = "no time left"
            continue
        try:
            found = measure()
        except (tf.errors.OpError, ImportError, subprocess.SubprocessError) as error:
            result["not_measured"][label] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            continue
        print(label, found, flush=True)
        place = result.setdefault(name, {})
        place.update({form: found} if form else found)
    return result


if __name__ == "__main__":
    command.main("gpu", WHAT, full, measure_torch)
