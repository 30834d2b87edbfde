"""Both phases' training as the method itself sets it up, one compiled iteration at a time."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from fanogan_tf.data.image_size import parse_image_size
from fanogan_tf.methods import fanogan
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options, from_text
from fanogan_tf.training import losses
from fanogan_tf.training.encoder import EncoderTraining
from fanogan_tf.training.wgan_gp import WganGp

_FLAGS = Path(__file__).parent.parent / "flags"


def flagfile(name: str) -> Options:
    """The options in flags/<name>.flags."""
    path = _FLAGS / f"{name}.flags"
    return from_text(path.read_text(encoding="utf-8"), str(path))


def spec(options: Options) -> NetworkSpec:
    """The networks that `options` ask for."""
    shape = (*parse_image_size(options.image_size), 1)
    return NetworkSpec(shape, options.dim, options.latent_dim, options.bound, options.folded, options.mixed_precision)


def gan(options: Options) -> WganGp:
    return fanogan._gan(spec(options), options)


def encoder_training(trained: WganGp, options: Options) -> EncoderTraining:
    """An encoder's training against `trained`, which it freezes."""
    training = EncoderTraining(
        spec(options).encoder(),
        trained.generator,
        trained.critic,
        latent_dim=options.latent_dim,
        weights=losses.encoder_weights(options.encoder_loss, options.kappa),
        denoise=options.denoise,
        seed=options.seed,
    )
    training.compile(keras.optimizers.RMSprop(options.encoder_learning_rate, rho=0.9), jit_compile=options.jit_compile)
    return training


def compiled(model: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """`model.train_step` as one graph, which is what `fit` calls."""
    return tf.function(model.train_step, jit_compile=model.jit_compile)
