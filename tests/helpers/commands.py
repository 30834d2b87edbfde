"""Commands as a user starts them."""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from fanogan_tf import cli

ROOT = Path(__file__).resolve().parents[2]

# The smallest f-AnoGAN that goes the whole way: seconds, not minutes.
TINY = (
    "--dataset=digits",
    "--normal_class=0",
    "--dim=2",
    "--latent_dim=2",
    "--batch_size=8",
    "--n_critic=2",
    "--iterations=4",
    "--encoder_iterations=4",
    "--learning_rate=1e-3",
    "--encoder_learning_rate=1e-3",
)


def start(command: str, *arguments: object) -> subprocess.Popen:
    started = [sys.executable, "-m", "fanogan_tf.cli", command, *map(str, arguments)]
    return subprocess.Popen(started, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def run(command: str, *arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess:
    """What `start` does to its end, in `folder`; forked from a process that has imported TensorFlow already."""
    with tempfile.TemporaryDirectory() as kept:
        streams = [Path(kept) / "stdout", Path(kept) / "stderr"]
        process = FORKS.Process(target=_command, args=(dict(os.environ), folder, streams, command, *map(str, arguments)))
        process.start()
        process.join(timeout=300)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"fanogan {command} has not ended; it said {streams[1].read_text()}")
        return subprocess.CompletedProcess(command, process.exitcode, *(path.read_text() for path in streams))


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.helpers.imported"])


def _command(environment: dict[str, str], folder: Path, streams: list[Path], command: str, *arguments: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate(streams, start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["fanogan"]
    try:
        cli.main(command, *arguments)
    finally:
        # What an interpreter does at its end, and a forked process does not: joblib's workers are told to end, its folders go.
        threading._shutdown()
        atexit._run_exitfuncs()


def succeed(command: str, *arguments: object) -> str:
    """What the command printed on stdout."""
    finished = run(command, *arguments)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def fail(command: str, *arguments: object) -> str:
    """The one line that a command says of bad input, without "error: "."""
    finished = run(command, *arguments)
    assert finished.returncode == 1, finished.stderr
    # Progress bars end in carriage returns and may come first.
    *_, line = finished.stderr.strip().replace("\r", "\n").splitlines()
    assert line.startswith("error: ") and "Traceback" not in finished.stderr, finished.stderr
    return line.removeprefix("error: ")
