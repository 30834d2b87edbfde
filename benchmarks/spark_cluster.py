"""A real standalone cluster of Spark on this machine: a master and its workers, each a process of its own."""

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyspark

_CLASS = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
_DEPLOY = "org.apache.spark.deploy"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """master: its address. workers: the processes of its workers, whose children are the executors."""

    master: str
    workers: list[subprocess.Popen]

    def kill_worker_of(self, pid: int) -> None:
        """SIGKILL for the worker that the process `pid` works for, and for everything that it has started."""
        parents = _parents()
        while pid not in {worker.pid for worker in self.workers}:
            pid = parents[pid]
        for process in (pid, *below(pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Starts a cluster whose workers have a core each, and ends it with the block. folder: of its logs and work."""
    with contextlib.ExitStack() as stack:
        said = _start(stack, folder, "master", f"{_DEPLOY}.master.Master", "--port", "0", "--webui-port", "0")[1]
        master = said(r"Starting Spark master at (spark://\S+)")
        started = [
            _start(
                *(stack, folder, f"worker{number}", f"{_DEPLOY}.worker.Worker", master, "--cores", "1", "--memory", "2g"),
                *("--webui-port", "0", "--work-dir", str(folder / "work")),
            )
            for number in range(workers)
        ]
        for _, said in started:
            said(r"Successfully registered with master (\S+)")
        yield Cluster(master, [process for process, _ in started])


def _start(
    stack: contextlib.ExitStack, folder: Path, name: str, what: str, *arguments: str
) -> tuple[subprocess.Popen, Callable[[str], str]]:
    """Starts a part of the cluster; returns the process, and what waits for a pattern in its log and gives the first group."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOG_DIR": str(folder)}
    with open(log, "wb") as file:
        command = [_CLASS, what, "--host", "127.0.0.1", *arguments]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True)

    def end() -> None:
        for pid in (process.pid, *below(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    stack.callback(end)

    def said(pattern: str) -> str:
        for _ in range(600):
            if match := re.search(pattern, log.read_text(errors="replace")):
                return match[1]
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the {name} of Spark's cluster has not started: {log.read_text(errors='replace')[-2000:]}")

    return process, said


def below(pid: int) -> list[int]:
    """All descendants of a process."""
    parents = _parents()
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


def _parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended in the meantime.
            parents[int(folder.name)] = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
    return parents
