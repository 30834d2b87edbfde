"""Commands as a user starts them."""

import os
import subprocess
import sys
from pathlib import Path

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


def run(command: str, *arguments: object) -> subprocess.CompletedProcess:
    process = start(command, *arguments)
    output, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


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
