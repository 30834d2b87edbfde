"""GANomaly (Akcay et al. 2018): an encoder, a decoder and a second encoder, trained against a discriminator.

Networks: section 3.2 and the authors' code, DCGAN's blocks with 4x4 kernels, for grey images. Nothing has a bias but batch
normalisation. The authors double the filters with every halving of the image; here they stop at 8 dim, as in all networks of this
package: the same up to 112 pixels. Under a mixed precision policy the arithmetic inside is of 16 bits; inputs and outputs stay
float32.

Losses: section 3.3, equations 1 to 3. The paper writes norms; the authors' code, which the weights 1 : 50 : 1 are made for, takes
means over all values of an image, and of squares where the norm is of second order. So it is here.

The score is the distance of the two encodings. The chest X-ray thesis uses latent_dim 100, dim 64, Adam 2e-4 with beta_1 0.5.
"""

import dataclasses

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.distributed import replicas
from fanogan_tf.methods.base import UPDATES, adam
from fanogan_tf.methods.joint import JointMethod
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.normalization import BatchNormalization
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.training.losses import discriminator_loss, mean_square
from fanogan_tf.training.optimization import descend, loss_scaled

KERNEL = 4
LEAK = 0.2  # slope of the leaky relu below 0
SPREAD = 0.02  # standard deviation of the first weights, as in the authors' code; the thesis calls it a variance


def around(mean: float) -> keras.initializers.Initializer:
    """N(mean, 0.02). A new one per layer: an initializer draws its seed once, when it is made."""
    return keras.initializers.RandomNormal(mean, SPREAD)


def first_value(variable: keras.Variable, seed: tf.Tensor) -> tf.Tensor:
    """What a variable of these networks begins with, as a pure function of `seed` (2,).

    Kernels N(0, 0.02), gains of batch normalisation N(1, 0.02), its variances 1, its offsets and means 0.
    """
    if variable.name in ("kernel", "gamma"):
        return tf.random.stateless_normal(variable.shape, seed, 1.0 if variable.name == "gamma" else 0.0, SPREAD)
    return tf.ones(variable.shape) if variable.name == "moving_variance" else tf.zeros(variable.shape)


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


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """What the three terms of the loss are multiplied with."""

    adversarial: float = 1.0
    contextual: float = 50.0
    encoding: float = 1.0


def adversarial_loss(features: tf.Tensor, restored_features: tf.Tensor) -> tf.Tensor:
    """L_adv, feature matching: the mean over the batch of 1/n_d ||f(x) - f(x')||^2, of features (B, n_d)."""
    return tf.reduce_mean(mean_square(features - restored_features))


def contextual_loss(images: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """L_con: the mean over the batch of 1/n |x - x'|_1, of images (B, H, W, C)."""
    return tf.reduce_mean(tf.abs(images - restored))


def encoding_loss(latent: tf.Tensor, restored_latent: tf.Tensor) -> tf.Tensor:
    """L_enc: the mean over the batch of 1/d ||z - z'||^2, of encodings (B, d)."""
    return tf.reduce_mean(mean_square(latent - restored_latent))


def half_discriminator_loss(real: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """Half of mean -log D(x) + mean -log(1 - D(x')), of logits (B,); log 2 while D knows nothing."""
    return 0.5 * discriminator_loss(real, restored)


# A discriminator whose loss is below this has nothing to teach any more: it starts again, as in the authors' code.
LEAST_DISCRIMINATOR_LOSS = 1e-5


class Ganomaly(keras.Model):
    """One train step = one update of the three restoring networks and one of the discriminator.

    Both from the networks as they were before it. `fit` on batches (B, H, W, 1) in [-1, 1]. A subclass may restore something else
    than what goes in: `parted`, `contextual`.
    """

    def __init__(
        self,
        first_encoder: keras.Model,
        decoder: keras.Model,
        second_encoder: keras.Model,
        discriminator: keras.Model,
        *,
        weights: LossWeights,
        seed: int,
    ):
        super().__init__(name="ganomaly")
        self.first_encoder = first_encoder
        self.decoder = decoder
        self.second_encoder = second_encoder
        self.discriminator = discriminator
        restoring = {"first_encoder": first_encoder, "decoder": decoder, "second_encoder": second_encoder}
        self.networks = restoring | {"discriminator": discriminator}
        self.restoring_variables = [variable for network in restoring.values() for variable in network.trainable_variables]
        self.term_weights = dataclasses.asdict(weights)
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @property
    def encoder(self) -> keras.Model:
        """The one that restores."""
        return self.first_encoder

    @property
    def generator(self) -> keras.Model:
        """What restores from the encoder's z."""
        return self.decoder

    def compile(self, restoring_optimizer, discriminator_optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {
            "restoring_optimizer": loss_scaled(restoring_optimizer, self.first_encoder),
            "discriminator_optimizer": loss_scaled(discriminator_optimizer, self.discriminator),
        }
        self.optimizers["restoring_optimizer"].build(self.restoring_variables)
        self.optimizers["discriminator_optimizer"].build(self.discriminator.trainable_variables)

    def call(self, images):
        """The encodings (z, z') of images, both (B, latent_dim), as they are scored."""
        latent = self.first_encoder(images, training=False)
        return latent, self.second_encoder(self.decoder(latent, training=False), training=False)

    def parted(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Parts a batch in what goes in and what is to come out, (B, H, W, 1) each."""
        return batch, batch

    def contextual(self, batch, restored: tf.Tensor) -> tf.Tensor:
        """Measures how far what comes out, (B, H, W, 1), is from what should: a scalar."""
        return contextual_loss(batch, restored)

    def restore(self, images: tf.Tensor) -> tf.Tensor:
        """Restores in training: the same shape."""
        return self.decoder(self.first_encoder(images, training=True), training=True)

    def train_step(self, batch):
        images, target = self.parted(batch)
        with tf.GradientTape() as restoring_tape, tf.GradientTape() as discriminator_tape:
            latent = self.first_encoder(images, training=True)
            restored = self.decoder(latent, training=True)
            # Each kind by itself: batch normalisation over both would tell the discriminator which is which.
            real_logits, features = self.discriminator(target, training=True)
            restored_logits, restored_features = self.discriminator(restored, training=True)
            terms = {
                "adversarial": adversarial_loss(features, restored_features),
                "contextual": self.contextual(batch, restored),
                "encoding": encoding_loss(latent, self.second_encoder(restored, training=True)),
            }
            loss_g = tf.add_n([self.term_weights[name] * term for name, term in terms.items()])
            loss_d = half_discriminator_loss(real_logits, restored_logits)
        norm_g = descend(self.optimizers["restoring_optimizer"], restoring_tape, loss_g, self.restoring_variables)
        norm_d = descend(
            self.optimizers["discriminator_optimizer"], discriminator_tape, loss_d, self.discriminator.trainable_variables
        )
        learnt = replicas.mean(loss_d) < LEAST_DISCRIMINATOR_LOSS
        restarted = replicas.cond(learnt, self._restart, lambda: tf.constant(0.0))
        self.step.assign_add(1)
        return {
            "loss_g": loss_g,
            **terms,
            "loss_d": loss_d,
            "discriminator_real": tf.reduce_mean(tf.sigmoid(real_logits)),
            "discriminator_restored": tf.reduce_mean(tf.sigmoid(restored_logits)),
            "discriminator_anew": restarted,
            "gradient_norm_g": norm_g,
            "gradient_norm_d": norm_d,
        }

    def _restart(self) -> tf.Tensor:
        """Gives the discriminator first weights, drawn from (seed, step), and an optimizer that remembers nothing; returns 1.

        The authors' code keeps the optimizer's moments. But those of Adam are of vanished gradients: the new weights' first steps
        would be some sixteen times the step size, away from what was drawn.
        """
        for i, variable in enumerate(self.discriminator.variables):
            variable.assign(first_value(variable, key(self.seed, self.step, i)))
        optimizer = self.optimizers["discriminator_optimizer"]
        # With loss scaling, the optimizer inside; the scale is one of the precision and stays.
        for variable in getattr(optimizer, "inner_optimizer", optimizer).variables:
            if variable.name != "learning_rate":
                variable.assign(tf.zeros(variable.shape, variable.dtype))
        return tf.constant(1.0)


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


class GanomalyDetector(Detector):
    """A = ||z - z'||_2, z = E1(x) and z' = E2(De(z)).

    So the chest X-ray thesis (eq. 4.5); the authors' code takes 1/d ||z - z'||^2, which ranks images the same.
    """

    KIND = "ganomaly"
    NETWORKS = {"first_encoder": first_encoder, "decoder": decoder, "second_encoder": second_encoder}
    ENCODER = "first_encoder"

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure` but feature_residual; latent_distance is 1/d ||z - z'||^2, latent z."""
        latent = self.first_encoder(images, training=False)
        restored = self.decoder(latent, training=False)
        difference = latent - self.second_encoder(restored, training=False)
        return {
            "score": tf.norm(difference, axis=1),
            "image_residual": mean_square(images - restored),
            "latent_distance": mean_square(difference),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }


class GanomalyMethod(JointMethod):
    """GANomaly."""

    PHASES = ("ganomaly",)
    DETECTORS = (GanomalyDetector,)
    OPTIONS: tuple[str, ...] = ("dim", "latent_dim", *UPDATES, "ganomaly_adversarial", "ganomaly_contextual", "ganomaly_encoding")

    def training(self, spec: NetworkSpec, options: Options) -> Ganomaly:
        """See `JointMethod.training`."""
        keras.utils.set_random_seed(options.seed)
        training = self.made(
            options,
            first_encoder(spec),
            decoder(spec),
            second_encoder(spec),
            discriminator(spec),
            weights=LossWeights(options.ganomaly_adversarial, options.ganomaly_contextual, options.ganomaly_encoding),
            seed=options.seed,
        )
        training.compile(*(adam(options, 0.5) for _ in range(2)), jit_compile=options.jit_compile)
        return training

    def made(self, options: Options, *networks: keras.Model, **settings) -> Ganomaly:
        """Makes the training of these networks, not yet compiled."""
        return Ganomaly(*networks, **settings)

    def detector(self, training: Ganomaly, spec: NetworkSpec, options: Options) -> Detector:
        """See `JointMethod.detector`."""
        (kind,) = self.DETECTORS
        return kind(spec, **{name: training.networks[name] for name in kind.NETWORKS})
