import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.commands import TINY, run, start, succeed

pytestmark = pytest.mark.slow

ARGUMENTS = (
    *TINY,
    "--deterministic",
    "--iterations=150",
    "--encoder_iterations=150",
    "--checkpoint_every=7",
    "--sample_every=1000",
)


def weights(folder):
    reader = tf.train.load_checkpoint(str(folder / "detector" / "weights"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "r"
    succeed("train", *ARGUMENTS, f"--run_dir={folder}")
    return weights(folder)


def break_off(folder, phase, how):
    """Starts training and sends the signal once the phase has its second checkpoint; returns the process's exit code."""
    process = start("train", *ARGUMENTS, f"--run_dir={folder}")
    try:
        deadline = time.monotonic() + 240
        while not (folder / phase / "checkpoints" / "step-14.index").is_file():
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert not (folder / phase / "checkpoints" / "step-150.index").exists(), "it was over before it was stopped"
    return process.returncode, errors


def test_killed_in_both_phases_ends_with_the_same_bits(unbroken, tmp_path):
    folder = tmp_path / "r"
    for phase in ("gan", "encoder"):
        code, _ = break_off(folder, phase, signal.SIGKILL)
        assert code == -signal.SIGKILL
    succeed("train", *ARGUMENTS, f"--run_dir={folder}")
    resumed = weights(folder)
    assert resumed.keys() == unbroken.keys()
    for name, value in unbroken.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_interrupted_says_where_and_goes_on(unbroken, tmp_path):
    folder = tmp_path / "r"
    code, errors = break_off(folder, "gan", signal.SIGINT)
    assert code == 1 and "stopped at iteration" in errors and "goes on from there" in errors
    finished = run("train", f"--run_dir={folder}")
    assert finished.returncode == 0, finished.stderr
    for name, value in weights(folder).items():
        np.testing.assert_array_equal(value, unbroken[name], err_msg=name)
