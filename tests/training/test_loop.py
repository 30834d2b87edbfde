import os
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.util import event_pb2

from fanogan_tf.errors import UserError
from tests.helpers.tiny import assert_same, encoder_training, gan, noise, state, toy, train

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def stop_at(number, model, step):
    """A sheet that brings an interruption when it is drawn at `step`."""

    def draw():
        if int(model.step) == step:
            assert signal.getsignal(number) is not signal.SIG_DFL  # Which would end the tests.
            os.kill(os.getpid(), number)
        return GREY

    return {"stopping": draw}


@pytest.fixture(scope="module", params=[(gan, 6), (encoder_training, 4)], ids=["gan", "encoder"])
def case(request, tmp_path_factory):
    """A training of 6 iterations, never stopped: how to make it again, its batches, its end and its folder."""
    make, count = request.param
    folder = tmp_path_factory.mktemp("whole")
    model = train(make(), folder, 6, noise(count), {"grey": lambda: GREY}, every=3)
    return make, noise(count), state(model), folder


def test_resumed_is_never_stopped(case, tmp_path):
    """Bit for bit, as after a crash on the way from the third iteration to the sixth."""
    make, batches, whole, folder = case
    shutil.copytree(folder / "checkpoints", tmp_path / "checkpoints")
    for path in (tmp_path / "checkpoints").glob("step-6.*"):
        path.unlink()
    newest = 'model_checkpoint_path: "step-3"\nall_model_checkpoint_paths: "step-3"\n'
    (tmp_path / "checkpoints" / "checkpoint").write_text(newest)
    resumed = make()
    starts = []
    train(resumed, tmp_path, 6, lambda start: starts.append(start) or batches(start))
    assert starts == [3] and whole["step"] == [6]
    assert_same(state(resumed), whole)


def events(folder):
    for path in sorted((folder / "logs").iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            yield event_pb2.Event.FromString(record.numpy())


def test_logs(case):
    make, _, whole, folder = case
    scalars, pictures, graphs = {}, [], 0
    for event in events(folder):
        graphs += bool(event.graph_def)
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "images":
                pictures.append((event.step, value.tag, [int(n) for n in value.tensor.string_val[:2]]))
            else:
                scalars.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    terms = {
        gan: ["loss_d", "loss_g", "critic_real", "critic_fake", "wasserstein", "gradient_penalty"],
        encoder_training: ["loss_e", "izi", "feature"],
    }[make]
    norms = {gan: ["gradient_norm_d", "gradient_norm_g"], encoder_training: ["gradient_norm_e"]}[make]
    rates = [f"learning_rate/{name}" for name in whole if "optimizer" in name]
    assert set(scalars) == {*terms, *norms, *rates}
    for tag, values in scalars.items():
        assert [step for step, _ in values] == [2, 4, 6], tag
    for tag in rates:
        np.testing.assert_allclose([value for _, value in scalars[tag]], 1e-3)
    for tag in terms:
        assert len({value for _, value in scalars[tag]}) == 3
    assert pictures == [(4, "grey", [4, 3]), (6, "grey", [4, 3])]
    assert graphs == 1


def test_samples(case):
    folder = case[-1]
    assert sorted(path.name for path in (folder / "samples").iterdir()) == ["grey_000004.png", "grey_000006.png"]
    pixels = np.array(Image.open(folder / "samples" / "grey_000004.png"))
    np.testing.assert_array_equal(pixels, np.kron(GREY, np.ones((150, 150), np.uint8)))


def counting(values=None):
    """start -> (1.0), (2.0), ... from number start on; `values` replaces some of them."""
    table = tf.constant([(values or {}).get(i, float(i + 1)) for i in range(50)])
    return lambda start: tf.data.Dataset.range(start, 50).map(lambda number: table[number])


def weight(model):
    return float(model.inner.get_weights()[0][0, 0])


def test_by_hand(tmp_path, capsys):
    """The toy's weight is the running mean w += (x - w) / 2 of 1, 2, 3, ...: a batch lost or seen twice would show."""
    model = train(toy(), tmp_path, 3, counting())
    assert weight(model) == ((0.5 + 2) / 2 + 3) / 2
    assert weight(train(toy(), tmp_path, 5, counting())) == ((2.125 + 4) / 2 + 5) / 2


def test_finished_is_left_alone(tmp_path, capsys):
    train(toy(), tmp_path, 3, counting())
    kept = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file())

    def never(start):
        raise AssertionError("no images are needed")

    for iterations in (3, 2):
        assert int(train(toy(), tmp_path, iterations, never).step) == 3
        assert f"toy: already at iteration 3 of {iterations}" in capsys.readouterr().out
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()) == kept


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_loss_keeps_the_last_good_checkpoint(tmp_path, bad):
    with pytest.raises(
        UserError,
        match=rf"(loss|gradient_norm) is {bad} at iteration 5; the last good checkpoint is {tmp_path}/checkpoints/step-4;",
    ):
        train(toy(), tmp_path, 6, counting({4: bad}), every=1)
    resumed = train(toy(), tmp_path, 4, counting())
    assert int(resumed.step) == 4 and weight(resumed) == 3.0625


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption(tmp_path, number):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    model = toy()
    with pytest.raises(UserError, match="toy: stopped at iteration 8 of 20"):
        train(model, tmp_path, 20, counting(), stop_at(number, model, 8))
    assert (tmp_path / "checkpoints" / "step-8.index").is_file()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    resumed = train(toy(), tmp_path, 20, counting())
    assert weight(resumed) == weight(train(toy(), tmp_path / "whole", 20, counting()))


def test_signals_are_given_back_after_an_error(tmp_path):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(UserError):
        train(toy(), tmp_path, 6, counting({0: float("nan")}))
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert not (tmp_path / "checkpoints" / "checkpoint").exists()


def test_progress_bar_goes_on_where_training_does(tmp_path, capsys):
    train(toy(), tmp_path, 3, counting())
    capsys.readouterr()
    train(toy(), tmp_path, 5, counting(), name="second")
    shown = capsys.readouterr().err
    assert "second" in shown and "3/5" in shown and "loss=" in shown and "norm" not in shown
    assert shown.rstrip().splitlines()[-1].split("\r")[-1].count("5/5") == 1
