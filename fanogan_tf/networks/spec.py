"""The few numbers that networks are made from, kept with their weights so that both can be loaded again."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from fanogan_tf.networks.precision import computing_in
from fanogan_tf.networks.resnet import Critic, Encoder, Generator


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """Makes networks with their variables in place.

    image_shape: (H, W, 1). dim: base width. bound: see `bounds.bounded`. folded: see `resampling`.
    precision: `none` (float32), `bfloat16` or `float16`.
    """

    image_shape: tuple[int, int, int]
    dim: int
    latent_dim: int
    bound: str = "tanh"
    folded: bool = True
    precision: str = "none"

    def generator(self) -> Generator:
        return self._built(lambda: Generator(self.image_shape, self.dim, self.folded), (self.latent_dim,))

    def critic(self) -> Critic:
        return self._built(lambda: Critic(self.image_shape, self.dim, self.folded), self.image_shape)

    def encoder(self) -> Encoder:
        return self._built(
            lambda: Encoder(self.image_shape, self.dim, self.latent_dim, self.bound, self.folded), self.image_shape
        )

    def _built(self, make: Callable[[], keras.Model], input_shape: tuple[int, ...]) -> keras.Model:
        with computing_in(self.precision):
            network = make()
            network(tf.zeros((1, *input_shape)))
        return network
