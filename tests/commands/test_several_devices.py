import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from fanogan_tf.detection import score_table
from tests.helpers.commands import ROOT, TINY, fail, succeed

pytestmark = pytest.mark.slow


def test_two_devices_end_with_the_scores_of_one(trained, tmp_path):
    """With the same GAN: two runs of one differ in what batch normalisation cancels (see test_distribution.py)."""
    folder, _ = trained
    arguments = (*TINY, "--strategy=mirrored", "--logical_devices=2", f"--gan_from={folder}")
    succeed("run", *arguments, f"--run_dir={tmp_path / 'r'}")
    one, two = (score_table.read(path / "scores.csv") for path in (folder, tmp_path / "r"))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_allclose(two.score, one.score, rtol=1e-4)


def test_a_batch_that_devices_cannot_share(tmp_path):
    line = fail("train", *TINY, "--batch_size=7", "--strategy=mirrored", "--logical_devices=2", f"--run_dir={tmp_path / 'r'}")
    assert line == "--batch_size=7: 2 devices cannot share it equally; take a multiple of 2"
    assert [path.name for path in (tmp_path / "r").iterdir()] == [".lock"]


@pytest.fixture
def workers(tmp_path):
    """Two that train the same run, for ever; and the run."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    command = [sys.executable, "-m", "fanogan_tf.cli", "train", *TINY, "--iterations=100000", "--checkpoint_every=3"]
    command += ["--strategy=multi_worker", f"--run_dir={tmp_path / 'r'}"]
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in range(2)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TF_CONFIG": json.dumps(task)}, stderr=subprocess.PIPE, text=True)
        for task in tasks
    ]
    yield processes, tmp_path / "r"
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(path, processes):
    deadline = time.monotonic() + 240
    while not path.is_file():
        assert all(process.poll() is None for process in processes) and time.monotonic() < deadline
        time.sleep(0.05)


def last_line(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    return errors.strip().replace("\r", "\n").splitlines()[-1]


def test_interrupting_one_worker_stops_all_and_one_device_goes_on(workers):
    processes, run = workers
    wait_for(run / "gan" / "checkpoints" / "step-3.index", processes)
    processes[1].send_signal(signal.SIGINT)
    lines = {last_line(process) for process in processes}
    assert len(lines) == 1, lines
    line = lines.pop()
    assert line.startswith("error: GAN: stopped at iteration ") and line.endswith("the same command goes on from there")
    step = int(line.split("iteration ")[1].split()[0])
    assert len(list((run / "gan" / "logs").iterdir())) == 1  # The chief's.
    succeed("train", f"--run_dir={run}", f"--iterations={step + 1}", "--strategy=none")
    assert (run / "gan" / "checkpoints" / f"step-{step + 1}.index").is_file() and (run / "detector").is_dir()
