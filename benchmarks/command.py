"""The command line of every benchmark: `--quick`, measurements in processes of their own, and the file of the result."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import harness


def main(
    name: str, what: str, full: Callable[[bool], dict], measure: Callable[..., dict] = lambda **arguments: arguments
) -> None:
    """Runs benchmarks/<name>.py.

    Args:
      name: of the result, results/<name>.json; with `--quick`, the result is only printed.
      what: one sentence about the numbers, written with them.
      full: function of `quick` that returns the result.
      measure: the function that `alone` calls.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--quick", action="store_true", help="tiny sizes and few rounds, to see that it works; writes nothing")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(**arguments.measure)))
        return
    result = full(arguments.quick)
    if arguments.quick:
        print(json.dumps(result, indent=1))
    else:
        harness.write(name, what, f"python benchmarks/{name}.py", result)


def alone(**arguments) -> dict:
    """Calls `measure(**arguments)` of the running benchmark in a new process, because peak memory never falls."""
    command = [sys.executable, sys.argv[0], f"--measure={json.dumps(arguments)}"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def peak_memory_gb() -> float:
    """Reads the most memory that this process has held so far; Linux only.

    getrusage's `ru_maxrss` will not do: a process inherits it from its parent, which may have held more.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return round(int(status["VmHWM"].removesuffix("kB")) * 1024 / 1e9, 3)
