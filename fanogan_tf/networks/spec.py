"""The few numbers that networks are made from, kept with their weights so that both can be loaded again."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from fanogan_tf.networks import dcgan, ganomaly, resnet
from fanogan_tf.networks.pair_discriminator import PairDiscriminator
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
        return self._built(lambda: kind(self.image_shape, self.dim, self.folded), (self.latent_dim,))

    def critic(self) -> resnet.Critic | dcgan.Discriminator:
        """Images -> (values (B,), features (B, n))."""
        kind = dcgan.Discriminator if self.network == "dcgan" else resnet.Critic
        return self._built(lambda: kind(self.image_shape, self.dim, self.folded), self.image_shape)

    def encoder(self) -> Encoder:
        return self._built(
            lambda: Encoder(self.image_shape, self.dim, self.latent_dim, self.bound, self.folded), self.image_shape
        )

    def first_encoder(self) -> ganomaly.Encoder:
        return self._built(
            lambda: ganomaly.Encoder(self.image_shape, self.dim, self.latent_dim, "first_encoder"), self.image_shape
        )

    def decoder(self) -> ganomaly.Decoder:
        return self._built(lambda: ganomaly.Decoder(self.image_shape, self.dim), (self.latent_dim,))

    def second_encoder(self) -> ganomaly.Encoder:
        return self._built(
            lambda: ganomaly.Encoder(self.image_shape, self.dim, self.latent_dim, "second_encoder"), self.image_shape
        )

    def discriminator(self) -> ganomaly.Discriminator:
        return self._built(lambda: ganomaly.Discriminator(self.image_shape, self.dim), self.image_shape)

    def pair_discriminator(self) -> PairDiscriminator:
        """ALI's: images, z -> (logits (B,), features (B, 16 dim))."""
        return self._built(
            lambda: PairDiscriminator(self.image_shape, self.dim, self.folded), self.image_shape, (self.latent_dim,)
        )

    def _built(self, make: Callable[[], keras.Model], *input_shapes: tuple[int, ...]) -> keras.Model:
        with computing_in(self.precision):
            network = make()
            network(*(tf.zeros((1, *shape)) for shape in input_shapes))
        return network
