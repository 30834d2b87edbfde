"""The numbers that networks are made from, saved with the weights so that a detector can be loaded again; and their variables."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from fanogan_tf import keras_line
from fanogan_tf.data.standardise import standardised
from fanogan_tf.networks import dcgan, resnet
from fanogan_tf.networks.precision import computing_in
from fanogan_tf.networks.resnet import Encoder


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """A maker of networks, whose variables exist once they are made.

    Attributes:
      image_shape: (H, W, 1).
      dim: base width, of which the widths of all layers are multiples.
      latent_dim: length of z.
      bound: of the encoder's output, see `latent.bounded`.
      folded: whether to merge convolutions with resampling and normalisation, see `resampling`.
      precision: `none` (float32), `bfloat16` or `float16`.
      network: architecture of generator and critic, `resnet` or `dcgan`.
      standardise, sharpness: what becomes of an image before any network sees it, see `standardise.standardised`.
    """

    image_shape: tuple[int, int, int]
    dim: int
    latent_dim: int
    bound: str = "tanh"
    folded: bool = True
    precision: str = "none"
    network: str = "resnet"
    standardise: str = "none"
    sharpness: float = 0.0

    def prepared(self, images: tf.Tensor) -> tf.Tensor:
        """The images (B, H, W, 1) in [-1, 1] as the networks see them: the same shape and range."""
        return standardised(images, self.standardise, self.sharpness)

    @property
    def prior(self) -> str:
        """The distribution of the generator's z, see `latent.draw`."""
        return "uniform" if self.network == "dcgan" else "normal"

    def generator(self) -> resnet.Generator | dcgan.Generator:
        """Makes G: z (B, latent_dim) -> images (B, H, W, 1)."""
        kind = dcgan.Generator if self.network == "dcgan" else resnet.Generator
        return self.built(lambda: kind(self.image_shape, self.dim, self.folded), (self.latent_dim,))

    def critic(self) -> resnet.Critic | dcgan.Discriminator:
        """Makes D: images (B, H, W, 1) -> (values (B,), features (B, n))."""
        kind = dcgan.Discriminator if self.network == "dcgan" else resnet.Critic
        return self.built(lambda: kind(self.image_shape, self.dim, self.folded), self.image_shape)

    def encoder(self) -> Encoder:
        """Makes E: images (B, H, W, 1) -> z (B, latent_dim)."""
        return self.built(lambda: Encoder(self.image_shape, self.dim, self.latent_dim, self.bound, self.folded), self.image_shape)

    def built(self, make: Callable[[], keras.Model], *input_shapes: tuple[int, ...]) -> keras.Model:
        """Calls `make` in this precision and builds the network's variables; `input_shapes` are without the batch."""
        with computing_in(self.precision):
            network = make()
            network(*(tf.zeros((1, *shape)) for shape in input_shapes))
        return network


def tf_variables(owner) -> list[tf.Variable]:
    """Lists all variables of a Keras network or optimizer as TensorFlow's own, in the order in which they were made.

    Checkpoints name them one by one, because tf.train.Checkpoint does not see the layers that a Keras 3 model keeps in a list: it
    would restore the rest without a warning.
    """
    return [keras_line.tf_variable(variable) for variable in keras_line.variables(owner)]


def value_of(variable: tf.Variable) -> int | float:
    """Reads a scalar variable, also one that is mirrored on several devices, which int() and float() cannot."""
    return tf.convert_to_tensor(variable).numpy().item()
