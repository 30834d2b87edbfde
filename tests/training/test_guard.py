import types

import keras
import pytest
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.keras_line import LossScaleOptimizer
from fanogan_tf.training.loop import BadLossGuard


def guard(latest, scales=None):
    callback = BadLossGuard(types.SimpleNamespace(latest=latest))
    scalers = {}
    for name, scale in (scales or {}).items():
        scalers[name] = LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=scale)
        scalers[name].build([tf.Variable(0.0)])
    callback.set_model(types.SimpleNamespace(step=17, optimizers={"plain": keras.optimizers.SGD()} | scalers))
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


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_update_left_out_by_loss_scaling_is_no_reason_to_stop(value):
    guard(None, {"a": 2.0**15, "b": 1.0}).on_train_batch_end(0, {"loss_d": 1.0, "gradient_norm_d": value})
    with pytest.raises(UserError, match=f"loss_d is {value}"):
        guard(None, {"a": 2.0**15}).on_train_batch_end(0, {"gradient_norm_d": value, "loss_d": value})


def test_nothing_left_to_scale_down():
    with pytest.raises(UserError, match="gradient_norm_d is inf"):
        guard(None, {"a": 2.0**15, "b": 0.5}).on_train_batch_end(0, {"loss_d": 1.0, "gradient_norm_d": float("inf")})
