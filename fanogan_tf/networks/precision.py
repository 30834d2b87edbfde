"""The precision that networks compute in: float32, or 16 bits with float32 weights."""

import contextlib
import functools
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

# The names of bfloat16 instructions in /proc/cpuinfo, on x86 and on ARM.
_BFLOAT16_FEATURES = {"avx512_bf16", "amx_bf16", "bf16"}


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Makes the layers built inside this block compute in `precision` (`none` is float32); their variables are float32."""
    before = keras.mixed_precision.global_policy()
    if precision == "bfloat16":
        warn_of_slow_bfloat16()
    keras.mixed_precision.set_global_policy("float32" if precision == "none" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def chosen(precision: str) -> str:
    """What `--mixed_precision` comes to: `auto` is bfloat16 on GPUs from Ampere on and on CPUs with AMX, and none elsewhere."""
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        made_for_it = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0)
    else:
        made_for_it = "amx_bf16" in cpu_features()
    return "bfloat16" if made_for_it else "none"


@functools.cache
def warn_of_slow_bfloat16() -> None:
    """Warns once, in one line, if bfloat16 is slower than float32 on this CPU, because it is emulated or poorly supported."""
    if tf.config.list_physical_devices("GPU"):
        return
    speed = _matmul_seconds(tf.float32) / _matmul_seconds(tf.bfloat16)
    if speed < 1.0:
        reason = "it is slower here than float32" if cpu_has_bfloat16() else "this CPU has no such instructions and emulates them"
        logging.warning("bfloat16: %s, %.2f of its speed in a matrix product; float32 (none) is the faster choice", reason, speed)


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tells whether the CPU has bfloat16 instructions, according to the system (Linux)."""
    return not _BFLOAT16_FEATURES.isdisjoint(cpu_features(cpuinfo))


def cpu_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """The words in which the system (Linux) describes the CPU; none elsewhere."""
    return set(cpuinfo.read_text(encoding="utf-8").split()) if cpuinfo.is_file() else set()


def _matmul_seconds(dtype: tf.DType) -> float:
    """Times products of 1024 x 1024 matrices; the best of three."""
    matrix = tf.ones((1024, 1024), dtype)
    seconds = []
    for _ in range(4):  # The first one includes set-up.
        start = time.perf_counter()
        tf.linalg.matmul(matrix, matrix).numpy()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
