"""Trains tiny networks on several devices, in a process of its own: they must be made before TensorFlow computes anything.

several_devices.py OUTPUT STRATEGY CASE STEPS [STRATEGY CASE STEPS ...] -> OUTPUT/CASE.npz, with checkpoints in OUTPUT/CASE/.
A case that comes twice goes on where it stopped.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from fanogan_tf.distributed import strategy as distribution
from fanogan_tf.methods import METHODS, ganomaly
from fanogan_tf.methods.fanogan import encoder_training
from fanogan_tf.methods.gan_phase import gan_training
from fanogan_tf.networks.spec import NetworkSpec, value_of
from fanogan_tf.options import Options
from fanogan_tf.training.loop import Schedule, run_phase
from fanogan_tf.training.optimization import loss_scalers

BATCH = 8
DEVICES = 2
SMALL = {"dim": 2, "latent_dim": 3, "batch_size": BATCH, "learning_rate": 1e-3, "encoder_learning_rate": 1e-3}


def encoder(spec, options):
    return encoder_training(gan_training(spec, options), spec, options)


def ganomaly_restarted(spec, options):
    """Its discriminator starts again in every step."""
    ganomaly.LEAST_DISCRIMINATOR_LOSS = 10.0
    return METHODS["ganomaly"].training(spec, options)


# The training, its settings, the side of its images, and the turns that a step takes images in.
CASES = {
    "wgan_gp": (gan_training, {"n_critic": 3, "penalty_every": 2}, 8, 3),
    "wgan_gp_float16": (gan_training, {"n_critic": 2, "mixed_precision": "float16"}, 8, 2),
    "encoder": (encoder, {"denoise": True, "bound": "stochastic_clip"}, 8, 1),
    "dcgan": (gan_training, {"network": "dcgan"}, 16, 1),
    "adv_ae": (METHODS["adv_ae"].training, {"n_critic": 2}, 8, 3),
    "ali": (METHODS["ali"].training, {"bound": "linear"}, 8, 1),
    "ganomaly_restarted": (ganomaly_restarted, {}, 16, 1),
}


def train(name: str, steps: int, output: Path, strategy: tf.distribute.Strategy) -> None:
    make, settings, side, turns = CASES[name]
    options = Options(**SMALL | settings)
    network = "dcgan" if options.network == "dcgan" else "resnet"
    shape = (turns * BATCH, side, side, 1)
    spec = NetworkSpec(shape[1:], 2, 3, options.bound, precision=options.mixed_precision, network=network)

    def batch(number):
        return tf.ensure_shape(tf.random.stateless_uniform(shape, tf.stack([number, 5]), -1.0, 1.0), shape)

    with distribution.together(strategy):
        model = make(spec, options)
        run_phase(
            model,
            lambda start: tf.data.Dataset.range(start, tf.int64.max).map(batch),
            Schedule(steps, checkpoint_every=1000, log_every=1, sample_every=1000),
            name=name,
            folder=output / name,
            sheets={},
            graph=tf.Graph(),
            turns=turns,
        )
    kept = {f"{network}/{i} {v.name}": v.numpy() for network, n in model.networks.items() for i, v in enumerate(n.variables)}
    for optimizer, scaler in loss_scalers(model).items():
        kept[f"{optimizer}/scale and steps"] = [value_of(scaler.dynamic_scale), value_of(scaler.iterations)]
    z = tf.random.stateless_normal((4, 3), (0, 1))
    generator = getattr(model, "generator", None) or model.networks["decoder"]
    np.savez(output / f"{name}.npz", step=value_of(model.step), generated=generator(z, training=True), **kept)


if __name__ == "__main__":
    output, *steps = sys.argv[1:]
    triples = list(zip(steps[::3], steps[1::3], steps[2::3], strict=True))
    strategies = {kind: distribution.make_strategy(kind, DEVICES) for kind in sorted({kind for kind, _, _ in triples})}
    for kind, case, count in triples:
        train(case, int(count), Path(output), strategies[kind])
