import itertools

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.feed import Feed
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.errors import UserError
from fanogan_tf.keras_line import KERAS_2
from fanogan_tf.training import calls
from fanogan_tf.training.calls import Pace, compiles
from fanogan_tf.training.loop import Schedule, run_phase
from tests.helpers.tiny import GRAPH, SHAPE, Toy, assert_same, encoder_training, gan, noise, state, toy


def trained(model, folder, feed, steps_per_call, iterations=12):
    schedule = Schedule(iterations, checkpoint_every=5, log_every=4, sample_every=6, steps_per_call=steps_per_call)
    run_phase(model, feed, schedule, name="test", folder=folder, sheets={}, graph=GRAPH)
    return model


@pytest.mark.parametrize(("make", "count"), [(gan, 6), (encoder_training, 4)])
def test_how_many_iterations_a_call_makes_changes_nothing(tmp_path, make, count):
    ends = [state(trained(make(), tmp_path / str(most), noise(count), most)) for most in (1, 100)]
    assert ends[0]["step"] == [12]
    assert_same(*ends)


def test_images_on_the_device_change_nothing(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, *SHAPE), dtype=np.uint8)
    names = np.arange(9).astype(str)
    images = ImageSet(pixels, np.zeros(9, int), names, names)
    ends = []
    for on_device in (False, True):
        feed = Feed(images, 6, 1, random_flip=True, on_device=on_device)
        ends.append(state(trained(gan(), tmp_path / str(on_device), feed, 3, iterations=6)))
    assert_same(*ends)


class Recording(Toy):
    """Remembers how many iterations its calls made."""

    def make_train_function(self, force=False):
        super().make_train_function(force)
        plain, self.steps = self.train_function, []

        def call(iterator):
            logs = plain(iterator)
            self.steps.append(int(self.step))
            return logs

        self.train_function = call
        return call


def test_no_call_passes_a_checkpoint_a_log_or_a_sheet(tmp_path):
    model = Recording()
    model.compile()
    feed = lambda start: tf.data.Dataset.range(start, 50).map(lambda n: tf.cast(n, tf.float32))  # noqa: E731
    trained(model, tmp_path, feed, 3)
    assert model.steps == [3, 4, 5, 6, 8, 10, 12]


class Forgetful(Toy):
    """Nothing that it meets stays in its weight."""

    def train_step(self, values):
        self.step.assign_add(1)
        return {"loss": values, "gradient_norm": values}


def test_a_loss_that_was_not_finite_is_not_lost_among_later_ones(tmp_path):
    feed = lambda start: tf.data.Dataset.from_tensor_slices([1.0, 1.0, np.inf, 1.0] * 3)  # noqa: E731
    model = Forgetful()
    model.compile()
    with pytest.raises(UserError, match=r"^loss is inf at iteration 4;"):
        trained(model, tmp_path, feed, 100)


class Clock:
    """Time that passes as it is told."""

    def __init__(self, *moments):
        self.moments = itertools.chain(moments)

    def __call__(self):
        return next(self.moments)


class Free:
    """Nothing to write for 1,000 iterations."""

    def free(self, step):
        return 1_000


def test_as_many_as_half_a_second_takes():
    """The first call compiles, and says nothing of the pace; 1/64 s an iteration are 32 of them, 1/8 s are 4."""
    clock = Clock(0.0, 64.0, 64 + 1 / 64, 64 + 1 / 64, 65.0, 65.0, 69.0, 69.0)
    pace = Pace(Free(), now=clock)
    counts = [pace.count(0) for _ in range(3)]
    assert counts == [1, 1, 32]
    # 32 of them took 63/64 s, then 16 took 4 s.
    assert [pace.count(0) for _ in range(2)] == [16, 2]
    assert Pace(Free(), 7).count(0) == 7


def test_where_steps_are_compiled(monkeypatch):
    monkeypatch.setattr(calls.tf.config, "list_physical_devices", lambda kind: [])
    assert [compiles(asked) for asked in ("auto", "true", "false")] == [False, True, False]
    monkeypatch.setattr(calls.tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert [compiles(asked) for asked in ("auto", "true", "false")] == [True, True, False]


@pytest.mark.skipif(KERAS_2, reason="fit of Keras 2 reads its own counters from the device")
def test_one_transfer_to_the_host_per_call(tmp_path, monkeypatch):
    """Between two looks nothing of a step is awaited: its logs are one tensor."""
    model = toy()
    fetched = []
    numpy = type(tf.constant(0.0)).numpy
    monkeypatch.setattr(type(tf.constant(0.0)), "numpy", lambda self: fetched.append(tuple(self.shape)) or numpy(self))
    model.pace = Pace(Schedule(100, 100, 20, 100), most=20)
    model.built = True
    model.fit(tf.data.Dataset.range(100).map(lambda n: tf.cast(n, tf.float32)), steps_per_epoch=5, verbose=0)
    assert int(model.step) == 100
    # Each call asks where it stands, and gets the vector of loss and norm.
    assert fetched[:-1] == [(), (2,)] * 5
