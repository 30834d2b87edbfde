"""Training and scoring on the GPU that is there, in under four minutes: python benchmarks/gpu.py

Our WGAN-GP as it is, compiled by XLA, and in bfloat16; idiomatic Keras, and PyTorch eager and compiled where that is installed;
`fit` against bare steps; scoring; and what the device attains. Each in a process of its own: they compile side by side, and are
timed one after another once all are ready. What time or memory did not allow, the result names. With --quick, toy sizes on any
device.

Counted are the operations that our form needs (flops.py); PyTorch's plain form does more, and gets no credit for that.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import command

WHAT = "Milliseconds an iteration of WGAN-GP (5 critic updates and 1 generator update) and TFLOP/s, and what else a GPU does."
_ROOT = Path(__file__).parent.parent
_READY = "ready"


class Size(NamedTuple):
    """The networks' and the batch's."""

    side: int
    dim: int
    latent_dim: int
    batch: int

    def __str__(self) -> str:
        return f"{self.side}x{self.side}_dim{self.dim}_batch{self.batch}"


MNIST, NARROW, WIDE, WIDE_64 = Size(32, 16, 32, 32), Size(64, 16, 128, 32), Size(64, 64, 128, 16), Size(64, 64, 128, 64)
TOY = Size(8, 2, 3, 2)
COMPILED, BFLOAT16 = {"jit_compile": "true"}, {"mixed_precision": "bfloat16"}
OURS = {
    "plain": {"jit_compile": "false"},
    "compiled": COMPILED,
    "bfloat16": BFLOAT16 | {"jit_compile": "false"},
    "compiled_bfloat16": COMPILED | BFLOAT16,
}
TORCH = {"torch_eager": {}, "torch_compiled": {"compiled": True}, "torch_compiled_bfloat16": {"compiled": True, "bfloat16": True}}
# Who is not ready by then is left out; the rest of the four minutes is for timing.
READY_SECONDS, TIMING_SECONDS = 150, 75


def wait_to_be_timed() -> None:
    """Says that all is compiled, and waits for the others."""
    print(_READY, flush=True)
    sys.stdin.readline()


def timed(iteration: Callable[[], object], finish: Callable[[], object], seconds: float = 1.5) -> dict[str, float]:
    """Times iterations that need not be awaited one by one. `finish` returns once all of them are done."""
    began = time.perf_counter()
    iteration()
    finish()
    first = time.perf_counter() - began
    wait_to_be_timed()
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


def with_speed(size: Size, times: dict[str, float]) -> dict[str, float]:
    """Adds the TFLOP/s, by the operations of one iteration of ours."""
    import flops

    found = flops.updates(*size, "ours")
    return times | {"tflop_per_second": round((5 * found["critic"] + found["generator"]) / times["milliseconds"] / 1e9, 2)}


def options_of(size: Size, **others: str):
    from fanogan_tf.options import Options

    sizes = {"image_size": str(size.side), "dim": size.dim, "latent_dim": size.latent_dim, "batch_size": size.batch}
    return Options(**sizes, **others)


def ours(size: Size, **settings: str) -> dict[str, float]:
    """Our train step on one batch that stays on the device."""
    import tensorflow as tf
    import trainers

    model = trainers.gan(options_of(size, **settings))
    images = tf.random.stateless_uniform((5 * size.batch, size.side, size.side, 1), (0, 1), -1.0, 1.0)

    @tf.function(autograph=False, jit_compile=model.jit_compile)
    def step(images: tf.Tensor) -> tf.Tensor:
        return tf.stack([*model.train_step(images).values()])

    newest = Newest(lambda: step(images))
    return with_speed(size, timed(newest, lambda: newest.value.numpy()))


def idiomatic_keras(size: Size) -> dict[str, float]:
    import keras_form

    return with_speed(size, timed(keras_form.KerasForm(*size).iteration, lambda: None))


def torch_form(size: Size, **settings: bool) -> dict[str, float]:
    import torch
    import torch_form

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return with_speed(size, timed(torch_form.TorchForm(*size, **settings, device=device).iteration, lambda: None))


def fit(size: Size, iterations: int) -> dict[str, float]:
    """A whole phase, with its logs and checkpoints: milliseconds an iteration of its second half."""
    import numpy as np
    import synthetic
    import tensorflow as tf
    import trainers

    from fanogan_tf.methods.base import training_feed
    from fanogan_tf.training.loop import Schedule, run_phase

    options = options_of(size)
    model = trainers.gan(options)
    feed = training_feed(synthetic.image_set(synthetic.noise(2_000, size.side)), 5 * size.batch, options)
    seen: list[float] = []

    def clock() -> np.ndarray:
        if not seen:
            wait_to_be_timed()
        seen.append(time.perf_counter())
        return np.zeros((8, 8), np.uint8)

    graph = tf.function(model.call).get_concrete_function(tf.TensorSpec((None, size.latent_dim))).graph
    half = iterations // 2
    schedule = Schedule(iterations, checkpoint_every=half, log_every=options.log_every, sample_every=half)
    with tempfile.TemporaryDirectory() as folder:
        run_phase(model, feed, schedule, name="fit", folder=Path(folder), sheets={"clock": clock}, graph=graph)
    return with_speed(size, {"milliseconds": round(1000 * (seen[1] - seen[0]) / half, 3)})


def scoring(size: Size, images: int) -> dict[str, float]:
    """Images per second from memory to a table of scores."""
    import synthetic

    from fanogan_tf.detection import score_table, scoring
    from fanogan_tf.networks.spec import NetworkSpec

    detector = synthetic.detector(NetworkSpec((size.side, size.side, 1), size.dim, size.latent_dim))
    made = synthetic.image_set(synthetic.noise(images, size.side))
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(2):
            if turn:
                wait_to_be_timed()
            began = time.perf_counter()
            rows = scoring.score_rows(detector, made, scoring.batch_size_for(0, detector.image_shape))
            score_table.write(Path(folder) / "scores.csv", rows)
            seconds = time.perf_counter() - began
    return {"images_per_second": round(images / seconds, 1)}


def attainable(side: int, precision: str) -> dict[str, float]:
    """TFLOP/s of large matrix products and 3x3 convolutions, many of each in a row."""
    import tensorflow as tf

    matrix = tf.random.stateless_normal((side, side), (0, 0), dtype=precision)
    images = tf.random.stateless_normal((64, side // 128, side // 128, 256), (0, 0), dtype=precision)
    kernel = tf.random.stateless_normal((3, 3, 256, 256), (0, 1), dtype=precision)
    work = {
        "product": (2.0 * side**3, Newest(lambda: matrix @ matrix)),
        "convolution": (2.0 * 64 * (side // 128) ** 2 * 9 * 256**2, Newest(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"))),
    }
    found = {}
    for name, (count, newest) in work.items():
        times = timed(newest, lambda newest=newest: newest.value[0].numpy(), seconds=0.5)
        found[f"{name}_tflop_per_second"] = round(count / times["milliseconds"] / 1e9, 2)
    return found


KINDS = {kind.__name__: kind for kind in (ours, idiomatic_keras, torch_form, fit, scoring, attainable)}


def measure(kind: str, **arguments) -> dict:
    """One measurement, in its own process."""
    size = {"size": Size(*arguments.pop("size"))} if "size" in arguments else {}
    return KINDS[kind](**size, **arguments)


class Part:
    """A measurement under way in a process of its own."""

    def __init__(self, label: str, kind: str, arguments: dict):
        self.label = label
        given = json.dumps({"kind": kind, **arguments})
        environment = dict(os.environ)
        if kind == "torch_form":
            # TensorFlow's libraries may be others than PyTorch's own.
            environment.pop("LD_LIBRARY_PATH", None)
            environment["PYTHONPATH"] = str(_ROOT)
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [sys.executable, __file__, f"--measure={given}"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.lines: list[str] = []
        self.news = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.strip())
            self.news.set()
        self.news.set()

    def ready(self, until: float) -> bool:
        """Waits for it until then."""
        while time.perf_counter() < until and self.process.poll() is None and _READY not in self.lines:
            self.news.wait(0.1)
            self.news.clear()
        return _READY in self.lines

    def result(self, seconds: float) -> dict:
        """Lets it be timed; raises LookupError with a reason where nothing came of it."""
        until = time.perf_counter() + seconds
        answered = 0
        while time.perf_counter() < until:
            if self.lines.count(_READY) > answered and self.process.poll() is None:
                answered += 1
                self.process.stdin.write("go\n")
                self.process.stdin.flush()
            if self.lines and self.lines[-1].startswith("{"):
                return json.loads(self.lines[-1])
            if self.process.poll() is not None and not self.news.wait(0.5):
                break
            self.news.wait(0.05)
            self.news.clear()
        raise LookupError(self.reason("not timed in time"))

    def reason(self, otherwise: str) -> str:
        """The last line of its errors once it has ended, `otherwise` while it has not."""
        if self.process.poll() is None:
            return otherwise
        self.errors.seek(0)
        return ([line for line in self.errors.read().splitlines() if line.strip()] or ["ended without a word"])[-1][:200]

    def end(self) -> None:
        self.process.kill()


def parts(quick: bool) -> list[tuple[str, str, dict]]:
    """(label, kind, arguments), in the order in which they are timed."""
    small, narrow, wide, wide_64 = (TOY,) * 4 if quick else (MNIST, NARROW, WIDE, WIDE_64)
    wanted: dict[str, tuple[str, dict]] = {}

    def add(form: str, kind: str, size: Size, **settings) -> None:
        wanted[f"{size} {form}"] = (kind, {"size": size, **settings})

    # More of them compiled side by side would not be ready in time: XLA tries out its convolutions on the one GPU.
    for size, form in ((small, "compiled"), (narrow, "compiled"), (wide, "compiled"), (wide_64, "compiled_bfloat16")):
        add(form, "ours", size, **OURS[form])
    for size in (small, wide):
        add("plain", "ours", size, **OURS["plain"])
        add("torch_eager", "torch_form", size)
    add("bfloat16", "ours", wide, **OURS["bfloat16"])
    add("idiomatic_keras", "idiomatic_keras", wide)
    add("torch_eager", "torch_form", wide_64)
    for form in ("torch_compiled", "torch_compiled_bfloat16"):
        add(form, "torch_form", wide, **TORCH[form])
    add("fit", "fit", small, iterations=40 if quick else 1_000)
    add("scoring", "scoring", small, images=200 if quick else 20_000)
    for precision in ("float32", "bfloat16"):
        wanted[f"attainable {precision}"] = ("attainable", {"side": 256 if quick else 8192, "precision": precision})
    # At toy sizes one of each kind will do.
    left_out = ("bfloat16", "torch_compiled", "plain") if quick else ()
    return [(label, *rest) for label, rest in wanted.items() if not label.endswith(left_out)]


def device() -> str:
    """What the GPU is called."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no NVIDIA GPU"


def full(quick: bool) -> dict:
    result: dict = {"device": device(), "measured": {}, "not_measured": {}}
    began = time.perf_counter()
    started = [Part(*part) for part in parts(quick)]
    try:
        ready = {part.label: part.ready(began + READY_SECONDS) for part in started}
        for part in started:
            if not ready[part.label]:
                result["not_measured"][part.label] = part.reason(f"not compiled after {READY_SECONDS} s")
                part.end()
        result["seconds_until_ready"] = round(time.perf_counter() - began, 1)
        until = time.perf_counter() + TIMING_SECONDS
        for part in started:
            if ready[part.label]:
                try:
                    result["measured"][part.label] = part.result(until - time.perf_counter())
                except LookupError as error:
                    result["not_measured"][part.label] = str(error)
                print(part.label, result["measured"].get(part.label, "-"), file=sys.stderr, flush=True)
    finally:
        for part in started:
            part.end()
    return result


if __name__ == "__main__":
    command.main("gpu", WHAT, full, measure)
