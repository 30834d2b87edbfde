"""Timing as ratios: all forms interleaved in one process, so that a busy moment of the machine affects each of them.

Calls are timed from outside the framework. A form is a function without arguments that returns when its work is done.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

RESULTS = Path(__file__).parent.parent / "results"
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "torch", "numpy")


def interleaved(forms: dict[str, Callable[[], object]], rounds: int, warm: int = 2) -> dict[str, list[float]]:
    """Times each form: `warm` calls untimed, then `rounds` calls interleaved, in reverse order every other round. In seconds."""
    for form in forms.values():
        for _ in range(warm):
            form()
    seconds = {name: [] for name in forms}
    for number in range(rounds):
        for name in list(forms)[:: -1 if number % 2 else 1]:
            start = time.perf_counter()
            forms[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds: list[float]) -> dict[str, float]:
    """Summarises timings: median and spread, in seconds."""
    return {
        "median": round(statistics.median(seconds), 5),
        "least": round(min(seconds), 5),
        "most": round(max(seconds), 5),
        "rounds": len(seconds),
    }


def ratios(seconds: dict[str, list[float]], yardstick: str) -> dict[str, float]:
    """Computes how many times as fast as `yardstick` each other form is, by medians."""
    base = statistics.median(seconds[yardstick])
    return {name: round(base / statistics.median(times), 3) for name, times in seconds.items() if name != yardstick}


def machine() -> dict[str, object]:
    """Describes the machine and the versions."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpu.splitlines())}
    features = set(fields.get("flags", "").split())
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": f"{fields.get('vendor_id', '')} {fields.get('model name', platform.processor())}".strip(),
        "cores": os.cpu_count(),
        "vector_instructions": sorted(features & {"avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16"}),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "versions": versions,
    }


def write(name: str, what: str, command: str, result: dict) -> None:
    """Writes `results/<name>.json` and prints it."""
    text = json.dumps({"what": what, "command": command, "machine": machine(), **result}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
