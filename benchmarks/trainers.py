"""The training of both phases as the method sets it up, one compiled iteration at a time."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from fanogan_tf.data.pixels import parse_image_size
from fanogan_tf.methods import base, fanogan
from fanogan_tf.methods.gan_phase import gan_training
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.option_flags import from_text
from fanogan_tf.options import Options
from fanogan_tf.training.encoder import EncoderTraining
from fanogan_tf.training.gan import WganGp

_FLAGS = Path(__file__).parent.parent / "flags"


def flagfile(name: str) -> Options:
    """Reads the options in flags/<name>.flags."""
    path = _FLAGS / f"{name}.flags"
    return from_text(path.read_text(encoding="utf-8"), str(path))


def spec(options: Options) -> NetworkSpec:
    """Specifies the networks of `options`."""
    return base.network_spec(options, (*parse_image_size(options.image_size), 1))


def gan(options: Options) -> WganGp:
    """Sets up the GAN phase of `options`."""
    return gan_training(spec(options), options)


def encoder_training(trained: WganGp, options: Options) -> EncoderTraining:
    """Sets up the encoder phase of `options` against `trained`."""
    return fanogan.encoder_training(trained, spec(options), options)


def compiled(model: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Compiles `model.train_step` into one graph, as `fit` does."""
    return tf.function(model.train_step, jit_compile=model.jit_compile)
