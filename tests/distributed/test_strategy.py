"""Training on several devices gives the result of training on one."""

import json
import os
import socket
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.distributed import strategy as distribution
from fanogan_tf.errors import UserError
from fanogan_tf.training.loop import Schedule, run_phase
from tests.helpers.tiny import toy

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"encoder": 20, "dcgan": 2, "adv_ae": 2, "ali": 2, "ganomaly_restarted": 2}
# The first half on two devices, the second on one.
RESUMED = ("wgan_gp", 20)
# Rounding to 16 bits decides what two devices do with an update, so one has nothing to be compared with.
ROUNDED = ("wgan_gp_float16", 2)


def start(output, *steps, worker=None, ports=()):
    """Starts several_devices.py; as one of two workers if `worker` is its index."""
    output.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"} | {"PYTHONPATH": str(ROOT)}
    if worker is not None:
        addresses = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": worker}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    command = [sys.executable, ROOT / "tests" / "helpers" / "several_devices.py", output, *map(str, steps)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def all_cases(strategy):
    return [part for case in STEPS.items() for part in (strategy, *case)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folders written by one device, two devices, and each of two workers."""
    folder = tmp_path_factory.mktemp("devices")
    ports = free_ports(2)
    name, steps = RESUMED
    processes = [
        start(folder / "one", *all_cases("none"), "none", *RESUMED),
        start(folder / "two", *all_cases("mirrored"), "mirrored", *ROUNDED, "mirrored", name, steps // 2, "none", name, steps),
        *(start(folder / f"worker_{i}", "multi_worker", "wgan_gp", 20, worker=i, ports=ports) for i in range(2)),
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes:
            process.kill()
    return folder


def arrays(folder, name):
    with np.load(folder / f"{name}.npz") as kept:
        return dict(kept)


def cancelled(name, key):
    """Tells whether batch normalisation cancels the variable: the last two biases of the residual generator.

    Their gradients are rounding errors, which Adam turns into steps. The moving mean behind them depends on them too.
    """
    return name in ("wgan_gp", "adv_ae", "ali") and key in ("generator/12 bias", "generator/14 bias", "generator/17 moving_mean")


def assert_equal(name, these, those):
    """Asserts equality to 1e-4 of the norm of each variable and of the generated images."""
    assert these.keys() == those.keys()
    compared = [key for key in those if not cancelled(name, key)]
    assert len(compared) >= len(those) - 3 and "generated" in compared
    for key in compared:
        difference = np.linalg.norm(these[key].astype(np.float64) - those[key])
        assert difference <= 1e-4 * np.linalg.norm(those[key]), f"{name} {key}"


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_two_devices_equal_one(trained, name):
    one = arrays(trained / "one", name)
    assert one["step"] == STEPS[name]
    assert_equal(name, arrays(trained / "two", name), one)


@pytest.mark.slow
def test_loss_scaling_on_two_devices(trained):
    """Every update was either made, or skipped by both devices and the scale halved."""
    two = arrays(trained / "two", ROUNDED[0])
    for optimizer, updates in (("critic_optimizer", 4), ("generator_optimizer", 2)):
        scale, made = two[f"{optimizer}/scale and steps"]
        assert np.log2(2.0**15 / scale) + made == updates, optimizer
    assert all(np.isfinite(value).all() for value in two.values())


@pytest.mark.slow
def test_two_workers_equal_one_device(trained):
    chief, other = arrays(trained / "worker_0", "wgan_gp"), arrays(trained / "worker_1", "wgan_gp")
    for key, value in chief.items():
        np.testing.assert_array_equal(other[key], value, err_msg=key)
    assert_equal("wgan_gp", chief, arrays(trained / "one", "wgan_gp"))


@pytest.mark.slow
def test_resumed_with_another_number_of_devices(trained):
    name, steps = RESUMED
    one, resumed = (arrays(trained / folder, name) for folder in ("one", "two"))
    assert one["step"] == resumed["step"] == steps
    assert_equal(name, resumed, one)


@pytest.mark.slow
def test_only_the_chief_writes(trained):
    assert sorted(path.name for path in (trained / "worker_0" / "wgan_gp").iterdir()) == ["checkpoints", "logs"]
    assert [path.name for path in (trained / "worker_1").iterdir()] == ["wgan_gp.npz"]


class Strategy:
    """As much of two workers with two replicas each as `distributed` needs."""

    num_replicas_in_sync = 4

    def distribute_datasets_from_function(self, of_worker):
        contexts = [types.SimpleNamespace(num_input_pipelines=2, input_pipeline_id=i) for i in range(2)]
        return [[batch.numpy().ravel().tolist() for batch in of_worker(context)] for context in contexts]


def test_every_replica_gets_its_share_of_every_turn():
    """Two batches of 3 turns of 8 images; each replica gets two of each turn."""
    batches = tf.data.Dataset.from_tensor_slices(tf.reshape(tf.range(48), (2, 24, 1, 1, 1)))

    def share(batch, replica):
        first = 24 * batch + 2 * replica
        return [first + 8 * turn + image for turn in range(3) for image in range(2)]

    first, second = distribution.distributed(batches, 3, Strategy())
    assert first == [share(0, 0), share(0, 1), share(1, 0), share(1, 1)]
    assert second == [share(0, 2), share(0, 3), share(1, 2), share(1, 3)]


def test_one_device_gets_the_batches_as_they_are():
    batches = tf.data.Dataset.range(3)
    assert distribution.distributed(batches, 3, tf.distribute.get_strategy()) is batches


@pytest.mark.parametrize(
    ("batch_size", "jit_compile", "message"),
    [
        (6, False, "^--batch_size=6: 4 devices cannot share it equally; take a multiple of 4$"),
        (8, True, "^--jit_compile: not with 4 devices;"),
    ],
)
def test_what_devices_cannot_share(batch_size, jit_compile, message, monkeypatch):
    monkeypatch.setattr(distribution.keras_line, "KERAS_2", False)
    distribution.check(Strategy(), 8, False)
    distribution.check(tf.distribute.get_strategy(), 7, True)
    with pytest.raises(UserError, match=message):
        distribution.check(Strategy(), batch_size, jit_compile)
    monkeypatch.setattr(distribution.keras_line, "KERAS_2", True)
    distribution.check(tf.distribute.get_strategy(), 8, False)
    with pytest.raises(UserError, match=r"^--strategy: several devices train with Keras 3 alone;"):
        distribution.check(Strategy(), 8, False)


def test_strategies_and_workers_go_together(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert distribution.make_strategy("none").num_replicas_in_sync == 1
    with pytest.raises(UserError, match=r"^--strategy=multi_worker: TF_CONFIG names no other worker;"):
        distribution.make_strategy("multi_worker")
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": task}))
    for name in ("none", "mirrored"):
        with pytest.raises(UserError, match=f"^--strategy={name}: TF_CONFIG names 2 workers; add --strategy=multi_worker"):
            distribution.make_strategy(name)


@pytest.fixture
def as_worker(monkeypatch):
    """Makes this process one of two workers; returns its messages at the meetings, where the other one sends `others`."""

    def become(index, others=()):
        task = {"type": "worker", "index": index}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:2"]}, "task": task}))
        said, answers = [], iter(others)
        monkeypatch.setattr(distribution, "everyones", lambda value, _: said.append(value) or [value, next(answers, 1)])
        return said

    return become


@pytest.mark.parametrize(("index", "before", "after"), [(0, [], [1, 1]), (1, [1], [1, 1])])
def test_the_chief_goes_first(as_worker, index, before, after):
    """The workers meet twice: when the chief has finished, and when all have."""
    said = as_worker(index)
    with distribution.chief_first(None):
        assert said == before
    assert said == after


def test_an_error_of_one_worker_ends_all(as_worker):
    said = as_worker(0)
    with pytest.raises(ZeroDivisionError), distribution.chief_first(None):
        raise ZeroDivisionError
    assert said == [0]
    entered = []
    as_worker(1, others=[0])
    with pytest.raises(UserError, match=r"^another worker has stopped"), distribution.chief_first(None):
        entered.append(1)
    assert not entered
    as_worker(0, others=[1, 0])
    with pytest.raises(UserError, match=r"^another worker has stopped"), distribution.chief_first(None):
        entered.append(0)
    assert entered == [0]


def test_a_lost_worker_is_reported(as_worker):
    alone = tf.distribute.get_strategy()
    error = tf.errors.UnavailableError(None, None, "Collective ops is aborted")
    with pytest.raises(tf.errors.UnavailableError), distribution.together(alone):
        raise error
    as_worker(1)
    with (
        pytest.raises(UserError, match=r"^another worker is lost; run the same command again"),
        distribution.together(alone),
    ):
        raise error


def test_workers_at_different_iterations(as_worker, tmp_path):
    as_worker(1, others=[3])
    with pytest.raises(UserError, match="not all workers find the same checkpoint here; put --run_dir on a disk that they share"):
        run_phase(toy(), None, Schedule(4, 1, 1, 1), name="toy", folder=tmp_path, sheets={}, graph=None)
