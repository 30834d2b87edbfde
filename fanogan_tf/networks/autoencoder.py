"""The encoder, decoder and discriminator of Akcay et al. 2018, section 3.2 and the authors' code, for grey images.

DCGAN's blocks with 4x4 kernels. Nothing has a bias but batch normalisation. The authors double the filters with every halving of
the image; here they stop at 8 dim, as in all networks of this package: the same up to 112 pixels. Under a mixed precision policy
the arithmetic inside is of 16 bits; inputs and outputs stay float32.
"""

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf import keras_line
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.normalization import BatchNormalization
from fanogan_tf.networks.spec import NetworkSpec

KERNEL = 4
LEAK = 0.2  # slope of the leaky relu below 0
SPREAD = 0.02  # standard deviation of the first weights, as in the authors' code; the thesis calls it a variance


def around(mean: float) -> keras.initializers.Initializer:
    """N(mean, 0.02). A new one per layer: an initializer draws its seed once, when it is made."""
    return keras.initializers.RandomNormal(mean, SPREAD)


def first_value(variable: keras_line.Variable, seed: tf.Tensor) -> tf.Tensor:
    """What a variable of these networks begins with, as a pure function of `seed` (2,).

    Kernels N(0, 0.02), gains of batch normalisation N(1, 0.02), its variances 1, its offsets and means 0.
    """
    name = keras_line.name_of(variable)
    if name in ("kernel", "gamma"):
        return tf.random.stateless_normal(variable.shape, seed, 1.0 if name == "gamma" else 0.0, SPREAD)
    return tf.ones(variable.shape) if name == "moving_variance" else tf.zeros(variable.shape)


class Normalization(BatchNormalization):
    """Batch normalisation as DCGAN has it: the moving averages keep 90 %, the gains begin around 1."""

    def __init__(self):
        super().__init__(momentum=0.9, epsilon=1e-5)
        self.gamma_initializer = around(1.0)


def _conv(filters: int) -> layers.Layer:
    """4x4 convolution that halves the sides."""
    return layers.Conv2D(filters, KERNEL, 2, padding="same", use_bias=False, kernel_initializer=around(0.0))


def _transposed_conv(filters: int) -> layers.Layer:
    """4x4 convolution that doubles the sides."""
    return layers.Conv2DTranspose(filters, KERNEL, 2, padding="same", use_bias=False, kernel_initializer=around(0.0))


def _dense(size: int) -> layers.Layer:
    """The authors' convolution over a whole map, to one pixel or from one: a dense layer, for maps of any size."""
    return layers.Dense(size, use_bias=False, kernel_initializer=around(0.0))


class Body(layers.Layer):
    """What encoders and discriminator share: (B, H, W, 1) -> flat features (B, base height * base width * last filters).

    As many convolutions as the geometry has blocks, of dim, 2 dim, 4 dim, ..., at most 8 dim filters, each but the first with
    batch normalisation.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int):
        super().__init__()
        first, *rest = geometry(*image_shape[:2]).down_filters(dim)[:-1]
        self.first = _conv(first)
        self.convs = [_conv(filters) for filters in rest]
        self.norms = [Normalization() for _ in rest]
        self.flatten = layers.Flatten()

    def call(self, images, training=False):
        x = tf.nn.leaky_relu(self.first(images), LEAK)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), training=training), LEAK)
        return self.flatten(x)


class Encoder(keras.Model):
    """E1 and E2: images (B, H, W, 1) -> z (B, latent_dim), unbounded."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int, latent_dim: int, name: str):
        super().__init__(name=name)
        self.body = Body(image_shape, dim)
        self.dense = _dense(latent_dim)

    def call(self, images, training=False):
        return tf.cast(self.dense(self.body(images, training=training)), tf.float32)


class Decoder(keras.Model):
    """The encoder's mirror image: z (B, latent_dim) -> images (B, H, W, 1) in (-1, 1)."""

    def __init__(self, image_shape: tuple[int, int, int], dim: int):
        super().__init__(name="decoder")
        geo = geometry(*image_shape[:2])
        first, *rest = geo.up_filters(dim)[1:]
        self.dense = _dense(geo.base[0] * geo.base[1] * first)
        self.reshape = layers.Reshape((*geo.base, first))
        self.convs = [_transposed_conv(filters) for filters in rest]
        self.norms = [Normalization() for _ in (first, *rest)]
        self.last = _transposed_conv(image_shape[2])

    def call(self, z, training=False):
        x = self.reshape(self.dense(z))
        for conv, norm in zip((*self.convs, self.last), self.norms, strict=True):
            x = conv(tf.nn.relu(norm(x, training=training)))
        return tf.tanh(tf.cast(x, tf.float32))


class Discriminator(keras.Model):
    """D and its features: images (B, H, W, 1) -> (logits (B,) that an image is real, f(x) (B, n_d)), both float32.

    f is all of it but the last layer: 8192 values for 64x64 images and dim 64.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int):
        super().__init__(name="discriminator")
        self.body = Body(image_shape, dim)
        self.dense = _dense(1)

    def call(self, images, training=False):
        features = self.body(images, training=training)
        return tf.cast(self.dense(features)[:, 0], tf.float32), tf.cast(features, tf.float32)


def first_encoder(spec: NetworkSpec) -> Encoder:
    """E1, built."""
    return spec.built(lambda: Encoder(spec.image_shape, spec.dim, spec.latent_dim, "first_encoder"), spec.image_shape)


def decoder(spec: NetworkSpec) -> Decoder:
    """The decoder, built."""
    return spec.built(lambda: Decoder(spec.image_shape, spec.dim), (spec.latent_dim,))


def second_encoder(spec: NetworkSpec) -> Encoder:
    """E2, built."""
    return spec.built(lambda: Encoder(spec.image_shape, spec.dim, spec.latent_dim, "second_encoder"), spec.image_shape)


def discriminator(spec: NetworkSpec) -> Discriminator:
    """The discriminator, built."""
    return spec.built(lambda: Discriminator(spec.image_shape, spec.dim), spec.image_shape)
