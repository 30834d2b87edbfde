"""The yardstick in Keras, as its users would write it: the same networks and WGAN-GP updates as `fanogan_tf`.

Functional models in the plain order of the papers: upsample, then convolve; convolve, then pool. Two forms differ only in the way
an image changes its size:
  idiomatic: stock layers, AveragePooling2D and UpSampling2D.
  authors: as in TensorFlow code of WGAN-GP's time, the mean of four strided slices and depth_to_space of four copies.
Layers are named after the attributes of `fanogan_tf.networks.resnet`, so that weights are copied by name.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.networks.geometry import geometry

PENALTY_WEIGHT = 10.0
N_CRITIC = 5


class SlicedMeanPool(layers.Layer):
    """Mean of the four images of every second row and column: (B, 2H, 2W, C) -> (B, H, W, C)."""

    def call(self, x):
        return 0.25 * (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2])


class DepthToSpaceUpsampling(layers.Layer):
    """Doubling, each pixel four times: (B, H, W, C) -> (B, 2H, 2W, C)."""

    def call(self, x):
        return tf.nn.depth_to_space(tf.concat([x] * 4, axis=-1), 2)


_POOL = {"idiomatic": functools.partial(layers.AveragePooling2D, 2), "authors": SlicedMeanPool}
_UPSAMPLE = {"idiomatic": functools.partial(layers.UpSampling2D, 2), "authors": DepthToSpaceUpsampling}
_batch_norm = functools.partial(layers.BatchNormalization, momentum=0.99, epsilon=1e-3)
_layer_norm = functools.partial(layers.GroupNormalization, groups=1, epsilon=1e-5)


def _he_conv(filters: int, name: str, **kwargs) -> layers.Conv2D:
    he_uniform = keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform")
    return layers.Conv2D(filters, 3, padding="same", kernel_initializer=he_uniform, name=name, **kwargs)


def _float32(x, activation: str = "linear", name: str | None = None):
    """Casts a network's output to float32 under every policy."""
    return layers.Activation(activation, dtype="float32", name=name)(x)


def _up_block(x, filters: int, form: str, name: str):
    """(B, H, W, inputs) -> (B, 2H, 2W, filters)."""
    main = layers.ReLU()(_batch_norm(name=f"{name}_norm_1")(x))
    main = _he_conv(filters, f"{name}_conv_1", use_bias=False)(_UPSAMPLE[form]()(main))
    main = layers.ReLU()(_batch_norm(name=f"{name}_norm_2")(main))
    main = _he_conv(filters, f"{name}_conv_2")(main)
    shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(_UPSAMPLE[form]()(x))
    return layers.Add()([main, shortcut])


def _down_block(x, filters: int, form: str, norm: Callable[..., layers.Layer], name: str):
    """(B, H, W, inputs) -> (B, H/2, W/2, filters)."""
    main = layers.ReLU()(norm(name=f"{name}_norm_1")(x))
    main = _he_conv(x.shape[-1], f"{name}_conv_1", use_bias=False)(main)
    main = layers.ReLU()(norm(name=f"{name}_norm_2")(main))
    main = _POOL[form]()(_he_conv(filters, f"{name}_conv_2")(main))
    shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(_POOL[form]()(x))
    return layers.Add()([main, shortcut])


def _body(images, dim: int, form: str, norm: Callable[..., layers.Layer]):
    """Applies the layers common to critic and encoder: (B, side, side, 1) -> flat features."""
    first, *rest = geometry(*images.shape[1:3]).down_filters(dim)
    x = layers.Conv2D(first, 3, padding="same", name="conv")(images)
    for i, filters in enumerate(rest):
        x = _down_block(x, filters, form, norm, f"block_{i}")
    return layers.Flatten()(x)


def build_generator(side: int, dim: int, latent_dim: int, form: str = "idiomatic") -> keras.Model:
    """Builds G: z (B, latent_dim) -> images (B, side, side, 1) in (-1, 1)."""
    geo = geometry(side, side)
    first, *rest = geo.up_filters(dim)
    z = keras.Input((latent_dim,))
    x = layers.Dense(geo.base[0] * geo.base[1] * first, name="dense")(z)
    x = layers.Reshape((*geo.base, first))(x)
    for i, filters in enumerate(rest):
        x = _up_block(x, filters, form, f"block_{i}")
    x = _he_conv(1, "conv")(layers.ReLU()(_batch_norm(name="norm")(x)))
    return keras.Model(z, _float32(x, "tanh"), name="generator")


def build_critic(side: int, dim: int, form: str = "idiomatic") -> keras.Model:
    """Builds D and its features: images (B, side, side, 1) -> (critic values (B,), f(x) (B, n_d))."""
    images = keras.Input((side, side, 1))
    features = _body(images, dim, form, _layer_norm)
    values = layers.Reshape(())(layers.Dense(1, name="dense")(features))
    return keras.Model(images, (_float32(values, name="values"), _float32(features, name="features")), name="critic")


def build_encoder(side: int, dim: int, latent_dim: int, form: str = "idiomatic") -> keras.Model:
    """Builds E: images (B, side, side, 1) -> z (B, latent_dim) in (-1, 1)."""
    images = keras.Input((side, side, 1))
    z = layers.Dense(latent_dim, name="dense")(_body(images, dim, form, _batch_norm))
    return keras.Model(images, _float32(z, "tanh"), name="encoder")


class KerasForm:
    """WGAN-GP training on one fixed batch of random images; every update returns its loss when its work is done.

    form: `idiomatic` or `authors`, see above. precision: `none` (float32) or `bfloat16`, for everything inside the networks.
    """

    def __init__(
        self,
        side: int,
        dim: int,
        latent_dim: int,
        batch: int,
        *,
        form: str = "idiomatic",
        precision: str = "none",
        seed: int = 0,
    ):
        keras.utils.set_random_seed(seed)
        self.latent_dim = latent_dim
        self.batch = batch
        self.precision = precision
        with _policy(precision):
            self.generator = build_generator(side, dim, latent_dim, form)
            self.critic = build_critic(side, dim, form)
        self._build_encoder = functools.partial(build_encoder, side, dim, latent_dim, form)
        self.generator_optimizer, self.critic_optimizer = (keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9) for _ in range(2))
        # Their variables must exist before a tf.function uses them.
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.random = tf.random.Generator.from_seed(seed)
        self.real = self.random.uniform((batch, side, side, 1), -1.0, 1.0)
        self._critic_step = tf.function(self._update_critic, autograph=False)
        self._generator_step = tf.function(self._update_generator, autograph=False)

    @functools.cached_property
    def encoder(self) -> keras.Model:
        """E with the other networks' sizes and precision; made on first use, as training does not need it."""
        with _policy(self.precision):
            return self._build_encoder()

    def critic_update(self) -> float:
        return float(self._critic_step())

    def generator_update(self) -> float:
        return float(self._generator_step())

    def iteration(self) -> tuple[float, float]:
        """Makes five critic updates and one generator update; returns the losses of the last two."""
        for _ in range(N_CRITIC):
            loss_d = self.critic_update()
        return loss_d, self.generator_update()

    def critic_loss(self, real: tf.Tensor, fake: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
        """Computes the paper's loss term by term, with one pass each. alpha: (B, 1, 1, 1) in [0, 1]."""
        real_values, _ = self.critic(real)
        fake_values, _ = self.critic(fake)
        mixed = real + alpha * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            values, _ = self.critic(mixed)
        square = tf.reduce_sum(tf.square(tape.gradient(values, mixed)), axis=[1, 2, 3])
        penalty = tf.reduce_mean(tf.square(tf.sqrt(square + 1e-12) - 1.0))
        return tf.reduce_mean(fake_values) - tf.reduce_mean(real_values) + PENALTY_WEIGHT * penalty

    def generator_loss(self, z: tf.Tensor) -> tf.Tensor:
        values, _ = self.critic(self.generator(z, training=True))
        return -tf.reduce_mean(values)

    def _latent(self) -> tf.Tensor:
        return self.random.normal((self.batch, self.latent_dim))

    def _update_critic(self) -> tf.Tensor:
        fake = self.generator(self._latent(), training=True)
        alpha = self.random.uniform((self.batch, 1, 1, 1))
        with tf.GradientTape() as tape:
            loss = self.critic_loss(self.real, fake, alpha)
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def _update_generator(self) -> tf.Tensor:
        z = self._latent()
        with tf.GradientTape() as tape:
            loss = self.generator_loss(z)
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss


@contextlib.contextmanager
def _policy(precision: str) -> Iterator[None]:
    """Makes the layers built inside this block compute in that precision."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("float32" if precision == "none" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def matched_variables(ours: keras.Model, theirs: keras.Model) -> list[tuple[keras.Variable, keras.Variable]]:
    """Pairs each variable of our network with its counterpart in the Keras form.

    By name, not by position: our network lists its layers in the order of creation, a functional model in that of its graph.
    """
    body = getattr(ours, "body", ours)
    sources = {"conv": body.conv, "dense": ours.dense} | ({"norm": ours.norm} if hasattr(ours, "norm") else {})
    for i, block in enumerate(body.blocks):
        sources |= {f"block_{i}_{name}": getattr(block, name) for name in ("norm_1", "conv_1", "norm_2", "conv_2", "shortcut")}
    pairs = [(getattr(sources[layer.name], variable.name), variable) for layer in theirs.layers for variable in layer.variables]
    if {id(our) for our, _ in pairs} != {id(our) for our in ours.variables}:
        raise ValueError("some variables of our network have no counterpart in the Keras form")
    return pairs


def copy_weights(ours: keras.Model, theirs: keras.Model) -> None:
    """Copies all variables of `NetworkSpec(...).generator()`, `.critic()` or `.encoder()` into that network of the Keras form."""
    for our, their in matched_variables(ours, theirs):
        their.assign(our)
