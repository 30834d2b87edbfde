"""The few numbers that networks are made from, kept with their weights so that both can be loaded again.

The variables of networks and optimizers as TensorFlow's own.
"""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from fanogan_tf.networks import dcgan, resnet
from fanogan_tf.networks.precision import computing_in
from fanogan_tf.networks.resnet import Encoder


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """Makes networks with their variables in place.

    image_shape: (H, W, 1). dim: base width. bound: see `bounds.bounded`. folded: see `resampling`.
    precision: `none` (float32), `bfloat16` or `float16`. network: whose generator and critic, `resnet` or `dcgan`.
    """

    image_shape: tuple[int, int, int]
    dim: int
    latent_dim: int
    bound: str = "tanh"
    folded: bool = True
    precision: str = "none"
    network: str = "resnet"

    @property
    def prior(self) -> str:
        """What the generator's z is drawn from, see `latent.draw`."""
        return "uniform" if self.network == "dcgan" else "normal"

    def generator(self) -> resnet.Generator | dcgan.Generator:
        kind = dcgan.Generator if self.network == "dcgan" else resnet.Generator
        return self.built(lambda: kind(self.image_shape, self.dim, self.folded), (self.latent_dim,))

    def critic(self) -> resnet.Critic | dcgan.Discriminator:
        """Images -> (values (B,), features (B, n))."""
        kind = dcgan.Discriminator if self.network == "dcgan" else resnet.Critic
        return self.built(lambda: kind(self.image_shape, self.dim, self.folded), self.image_shape)

    def encoder(self) -> Encoder:
        return self.built(lambda: Encoder(self.image_shape, self.dim, self.latent_dim, self.bound, self.folded), self.image_shape)

    def built(self, make: Callable[[], keras.Model], *input_shapes: tuple[int, ...]) -> keras.Model:
        """The network that `make` makes, with its variables, in this precision; `input_shapes` are without the batch."""
        with computing_in(self.precision):
            network = make()
            network(*(tf.zeros((1, *shape)) for shape in input_shapes))
        return network


def tf_variables(owner) -> list[tf.Variable]:
    """All variables of a Keras network or optimizer, in the order they were made.

    Checkpoints name them one by one: of a Keras 3 model, tf.train.Checkpoint does not see the layers that are kept in a list, and
    restores the rest without a word.
    """
    return [variable if isinstance(variable, tf.Variable) else variable.value for variable in owner.variables]


def value_of(variable: tf.Variable) -> int | float:
    """The value of a scalar variable; int() and float() cannot read one that is mirrored on several devices."""
    return tf.convert_to_tensor(variable).numpy().item()
