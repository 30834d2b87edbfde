import types

import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.training.guard import BadLossGuard


def guard(latest):
    callback = BadLossGuard(types.SimpleNamespace(latest=latest))
    callback.set_model(types.SimpleNamespace(step=17))
    return callback


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_bad_loss(value):
    with pytest.raises(UserError, match=rf"^loss_g is {value} at iteration 17; the last good checkpoint is runs/step-10;"):
        guard("runs/step-10").on_train_batch_end(0, {"loss_d": 1.0, "loss_g": value})


def test_no_checkpoint_yet():
    with pytest.raises(UserError, match=r"gradient_norm_d is nan at iteration 17; there is no checkpoint yet; .*learning rate"):
        guard(None).on_train_batch_end(0, {"gradient_norm_d": float("nan")})


def test_large_losses_are_no_reason_to_stop(capsys):
    guard(None).on_train_batch_end(0, {"loss_d": -1e30, "loss_g": 0.0})
    with pytest.raises(UserError):
        guard(None).on_train_batch_end(0, {"loss_d": -1e30, "loss_g": 1e400})
