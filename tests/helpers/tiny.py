"""Networks and trainings small enough to step in a moment."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.networks.spec import NetworkSpec, tf_variables
from fanogan_tf.training.calls import Training
from fanogan_tf.training.encoder import EncoderTraining
from fanogan_tf.training.gan import Penalty, WganGp
from fanogan_tf.training.loop import Schedule, run_phase
from fanogan_tf.training.losses import encoder_weights
from fanogan_tf.training.optimization import Adam

SHAPE = (8, 8, 1)
SPEC = NetworkSpec(SHAPE, dim=2, latent_dim=3)


def images(seed: int, count: int) -> tf.Tensor:
    """(count, 8, 8, 1) in [-1, 1]: bright noise."""
    return tf.constant(np.random.default_rng(seed).uniform(0, 1, (count, *SHAPE)), tf.float32)


def gan(
    *,
    seed: int = 0,
    n_critic: int = 3,
    penalty_weight: float = 10.0,
    penalty_every: int = 1,
    rate: float = 1e-3,
    weights_seed: int = 0,
    precision: str = "none",
    average: float = 0.0,
    changes: tuple[str, ...] = (),
) -> WganGp:
    keras.utils.set_random_seed(weights_seed)
    spec = dataclasses.replace(SPEC, precision=precision)
    settings = {"latent_dim": 3, "seed": seed, "average": average, "changes": changes}
    penalty = Penalty(penalty_weight, penalty_every)
    model = WganGp(spec.generator(), spec.critic(), n_critic=n_critic, penalty=penalty, **settings)
    model.compile(*(Adam(rate, beta_1=0.0, beta_2=0.9) for _ in range(2)))
    return model


def encoder_training(
    loss: str = "izi_f",
    *,
    kappa: float = 1.0,
    denoise: bool = False,
    seed: int = 0,
    rate: float = 1e-3,
    encoder=None,
    precision: str = "none",
) -> EncoderTraining:
    keras.utils.set_random_seed(0)
    spec = dataclasses.replace(SPEC, precision=precision)
    networks = encoder or spec.encoder(), spec.generator(), spec.critic()
    model = EncoderTraining(*networks, latent_dim=3, weights=encoder_weights(loss, kappa), denoise=denoise, seed=seed)
    model.compile(keras.optimizers.RMSprop(rate, rho=0.9))
    return model


def state(model) -> dict[str, list[np.ndarray]]:
    """Copies of everything that a checkpoint has to hold."""
    owners = {**model.networks, **model.optimizers, **getattr(model, "averages", {})}
    kept = {name: [variable.numpy() for variable in tf_variables(owner)] for name, owner in owners.items()}
    return kept | {"step": [model.step.numpy()]}


def assert_same(one: dict[str, list[np.ndarray]], other: dict[str, list[np.ndarray]]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        for i, (a, b) in enumerate(zip(values, other[name], strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=f"{name} {i}")


def numbers(logs: dict) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}


class Toy(Training):
    """The least that a phase can train: one weight, moved to the mean of all images seen."""

    def __init__(self):
        super().__init__()
        self.inner = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        self.networks = {"inner": self.inner}
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)

    def compile(self, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {"inner_optimizer": keras.optimizers.SGD(0.5)}
        self.optimizers["inner_optimizer"].build(self.inner.trainable_variables)

    def train_step(self, values):
        mean = tf.reduce_mean(values)
        weight = self.inner.trainable_variables[0]
        self.optimizers["inner_optimizer"].apply_gradients([(weight - mean, weight)])
        self.step.assign_add(1)
        return {"loss": mean, "gradient_norm": mean}


def toy() -> Toy:
    model = Toy()
    model.compile()
    return model


GRAPH = tf.function(lambda x: tf.sin(x)).get_concrete_function(tf.TensorSpec((None,))).graph


def noise(count):
    """start -> batches of `count` images, each a function of its number."""
    return lambda start: tf.data.Dataset.range(start, tf.int64.max).map(
        lambda number: tf.random.stateless_uniform((count, *SHAPE), tf.stack([number, 5]), -1.0, 1.0)
    )


def train(model, folder, iterations, batches, sheets=None, every=100, name="toy"):
    run_phase(
        model,
        batches,
        Schedule(iterations, checkpoint_every=every, log_every=2, sample_every=4),
        name=name,
        folder=folder,
        sheets=sheets or {},
        graph=GRAPH,
    )
    return model
