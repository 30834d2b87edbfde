import types

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import NetworkSpec, tf_variables
from fanogan_tf.training import checkpointing
from fanogan_tf.training.checkpointing import Checkpointing, Checkpoints, saved_seconds, saved_step
from fanogan_tf.training.gan import Penalty, WganGp
from fanogan_tf.training.optimization import Adam, loss_scalers
from tests.helpers.tiny import assert_same, encoder_training, gan, images, state, toy


def stir(model, seed):
    """Other values in every variable of every network and optimizer."""
    random = np.random.default_rng(seed)
    for owner in (*model.networks.values(), *model.optimizers.values()):
        for variable in tf_variables(owner):
            variable.assign(random.integers(1, 1000, variable.shape).astype(variable.dtype.as_numpy_dtype))
    model.step.assign(seed)


def set_rates(model, rate):
    for optimizer in model.optimizers.values():
        optimizer.learning_rate.assign(rate)


@pytest.mark.parametrize("make", [gan, encoder_training])
def test_everything_comes_back(tmp_path, make):
    model = make()
    stir(model, 7)
    set_rates(model, 0.25)
    saved = state(model)
    Checkpoints(model, tmp_path).save()
    again = make()
    set_rates(again, 0.25)
    assert Checkpoints(again, tmp_path).restore() == 7
    assert_same(state(again), saved)
    # Also into the same objects, with other values meanwhile.
    stir(model, 8)
    set_rates(model, 0.25)
    assert all(not np.array_equal(a, b) for a, b in zip(state(model)["step"], saved["step"], strict=True))
    assert Checkpoints(model, tmp_path).restore() == 7
    assert_same(state(model), saved)


def test_variables_in_layers_in_lists_are_kept():
    """What tf.train.Checkpoint does not find by itself: weights, moving averages, moments."""
    kept = state(gan())
    # Generator: dense 2, norms 3 x 4, convolutions 1 + 2 + 2 + 2. Critic: conv 2, norms 2 x 2, convolutions 1 + 2 + 2, dense 2.
    assert len(kept["generator"]) == 21 and len(kept["critic"]) == 13
    # Adam: iterations, learning rate, two moments of what is trained (of the generator all but 3 x 2 moving averages).
    assert len(kept["generator_optimizer"]) == 2 + 2 * 15 and len(kept["critic_optimizer"]) == 2 + 2 * 13


def test_empty_folder(tmp_path):
    model = toy()
    checkpoints = Checkpoints(model, tmp_path / "none")
    assert checkpoints.latest is None and checkpoints.restore() == 0
    assert saved_step(tmp_path / "none") == 0 and saved_seconds(tmp_path / "none") == 0.0


def test_two_are_kept(tmp_path):
    model = toy()
    checkpoints = Checkpoints(model, tmp_path)
    for step in (3, 5, 9, 9):
        model.step.assign(step)
        checkpoints.save()
    assert sorted(path.name for path in tmp_path.glob("*.index")) == ["step-5.index", "step-9.index"]
    assert checkpoints.latest == str(tmp_path / "step-9") and saved_step(tmp_path) == 9
    # A new process keeps counting.
    again = Checkpoints(model, tmp_path)
    assert again.restore() == 9
    model.step.assign(12)
    again.save()
    assert sorted(path.name for path in tmp_path.glob("*.index")) == ["step-12.index", "step-9.index"]
    assert saved_step(tmp_path) == 12


def test_learning_rate_is_a_setting(tmp_path):
    first = gan(rate=0.5)
    first.optimizers["critic_optimizer"].iterations.assign(11)
    Checkpoints(first, tmp_path).save()
    second = gan(rate=0.125)
    Checkpoints(second, tmp_path).restore()
    assert [float(optimizer.learning_rate) for optimizer in second.optimizers.values()] == [0.125, 0.125]
    assert int(second.optimizers["critic_optimizer"].iterations) == 11


@pytest.mark.parametrize("make", [gan, encoder_training])
def test_loss_scales_come_back(tmp_path, make):
    first, second = make(precision="float16", rate=0.5), make(precision="float16", rate=0.125)
    for i, optimizer in enumerate(loss_scalers(first).values()):
        optimizer.dynamic_scale.assign(2.0 ** (20 + i))
        optimizer.step_counter.assign(100 + i)
        optimizer.inner_optimizer.iterations.assign(7)
    Checkpoints(first, tmp_path).save()
    Checkpoints(second, tmp_path).restore()
    for i, optimizer in enumerate(loss_scalers(second).values()):
        assert (float(optimizer.dynamic_scale), int(optimizer.step_counter)) == (2.0 ** (20 + i), 100 + i)
        assert int(optimizer.iterations) == 7 and float(optimizer.learning_rate) == 0.125
    assert len(loss_scalers(second)) == len(second.optimizers)


def test_resumed_loss_scaling_is_never_stopped(tmp_path):
    """Bit for bit, with scales that double after every third update; the stop comes after the second."""

    def make():
        model = gan(n_critic=1, precision="float16")
        for optimizer in loss_scalers(model).values():
            optimizer.dynamic_growth_steps = 3
            optimizer.dynamic_scale.assign(2.0**4)
        return model

    def train(model, *steps):
        for i in steps:
            model.train_step(images(i, 4))

    whole, resumed = make(), make()
    train(whole, 0, 1)
    Checkpoints(whole, tmp_path).save()
    train(whole, 2, 3)
    assert Checkpoints(resumed, tmp_path).restore() == 2
    train(resumed, 2, 3)
    assert_same(state(resumed), state(whole))
    for optimizer in loss_scalers(resumed).values():
        assert (float(optimizer.dynamic_scale), int(optimizer.step_counter), int(optimizer.iterations)) == (2.0**5, 1, 4)


@pytest.mark.parametrize(("before", "after"), [("none", "float16"), ("float16", "none")])
def test_another_precision_goes_on(tmp_path, before, after):
    """With the same weights and moments; loss scaling, where it is new, begins where it always does."""

    def kept(model):
        optimizers = {name: getattr(one, "inner_optimizer", one) for name, one in model.optimizers.items()}
        return {name: [v.numpy() for v in tf_variables(owner)] for name, owner in {**model.networks, **optimizers}.items()}

    first, second = gan(precision=before), gan(precision=after)
    stir(first, 7)
    set_rates(first, 1e-3)
    Checkpoints(first, tmp_path).save()
    assert Checkpoints(second, tmp_path).restore() == 7
    assert_same(kept(second), kept(first))
    for optimizer in loss_scalers(second).values():
        assert (float(optimizer.dynamic_scale), int(optimizer.step_counter)) == (2.0**15, 0)


def wider(dim=3, side=8):
    spec = NetworkSpec((side, side, 1), dim=dim, latent_dim=3)
    model = WganGp(spec.generator(), spec.critic(), latent_dim=3, n_critic=3, penalty=Penalty(10.0), seed=0)
    model.compile(*(Adam(1e-3) for _ in range(2)))
    return model


@pytest.mark.parametrize("other", [wider, lambda: wider(2, 16), encoder_training], ids=["wider", "deeper", "encoder"])
def test_other_networks(tmp_path, other):
    Checkpoints(gan(), tmp_path).save()
    with pytest.raises(UserError, match=rf"^{tmp_path}/step-0: cannot be restored \(.+\); --overwrite") as caught:
        Checkpoints(other(), tmp_path).restore()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_damaged(tmp_path, damage):
    Checkpoints(gan(), tmp_path).save()
    for path in [*tmp_path.glob("step-0.data*"), *(tmp_path.glob("step-0.index") if damage == "empty" else [])]:
        content = path.read_bytes()
        path.unlink()
        if damage != "gone":
            path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(UserError, match="step-0: cannot be restored"):
        Checkpoints(gan(), tmp_path).restore()


@pytest.fixture
def counted(monkeypatch):
    """A Checkpointing of every 4 iterations of 10 seconds, after 7 seconds before, and what it saved: steps and seconds."""
    saved, interruption = [], types.SimpleNamespace(asked=False)
    model = types.SimpleNamespace(step=0, stop_training=False)
    seconds = tf.Variable(7.0, dtype=tf.float64)
    monkeypatch.setattr(checkpointing, "time", types.SimpleNamespace(monotonic=lambda: 1000.0 + 10.0 * model.step))
    checkpoints = types.SimpleNamespace(seconds=seconds, save=lambda: saved.append((model.step, float(seconds))))
    callback = Checkpointing(checkpoints, 4, interruption)
    callback.set_model(model)
    callback.on_train_begin()
    return callback, model, saved, interruption


def test_saves_every_so_often_and_at_the_end(counted):
    callback, model, saved, _ = counted
    for model.step in range(1, 11):
        callback.on_train_batch_end(0, {})
    assert saved == [(4, 47.0), (8, 87.0)] and not model.stop_training
    callback.on_train_end()
    assert saved == [(4, 47.0), (8, 87.0), (10, 107.0)]


def test_stops_when_asked(counted):
    callback, model, saved, interruption = counted
    model.step, interruption.asked = 3, True
    callback.on_train_batch_end(0, {})
    callback.on_train_end()
    assert model.stop_training and saved == [(3, 37.0)]


def test_seconds_are_kept(tmp_path):
    checkpoints = Checkpoints(toy(), tmp_path)
    checkpoints.seconds.assign(12.5)
    checkpoints.save()
    again = Checkpoints(toy(), tmp_path)
    again.restore()
    assert float(again.seconds) == saved_seconds(tmp_path) == 12.5
