"""GANomaly (Akcay et al. 2018): an encoder, a decoder and a second encoder, trained against a discriminator.

Networks: `networks/autoencoder.py`. With `--ganomaly_autoencoder=unet`, a residual U-Net takes the place of first encoder and
decoder (the chest X-ray thesis, A.2); z is made of its deepest features. The thesis trained that one by WGAN; here it is not.

Losses: section 3.3, equations 1 to 3. The paper writes norms; the authors' code, which the weights 1 : 50 : 1 are made for, takes
means over all values of an image, and of squares where the norm is of second order. So it is here.

The score is the distance of the two encodings. The chest X-ray thesis uses latent_dim 100, dim 64, Adam 2e-4 with beta_1 0.5.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import keras_line
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.distributed import replicas
from fanogan_tf.methods.base import UPDATES, adam
from fanogan_tf.methods.joint import JointMethod
from fanogan_tf.networks.autoencoder import decoder, discriminator, first_encoder, first_value, second_encoder
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.networks.unet import UNet, deepest_shape
from fanogan_tf.options import Options
from fanogan_tf.training import monitoring
from fanogan_tf.training.calls import Training, compiles
from fanogan_tf.training.losses import discriminator_loss, mean_square
from fanogan_tf.training.monitoring import Sheet
from fanogan_tf.training.optimization import descend, loss_scaled


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


# (networks by name, images (B, H, W, 1), training) -> (z (B, latent_dim), restored images).
Autoencode = Callable[[dict[str, keras.Model], tf.Tensor, bool], tuple[tf.Tensor, tf.Tensor]]

# A discriminator whose loss is below this has nothing to teach any more: it starts again, as in the authors' code.
LEAST_DISCRIMINATOR_LOSS = 1e-5


class Ganomaly(Training):
    """One train step = one update of the three restoring networks and one of the discriminator.

    Both from the networks as they were before it. `fit` on batches (B, H, W, 1) in [-1, 1]. A subclass may restore something else
    than what goes in: `parted`, `contextual`.

    networks: those that restore, `second_encoder` among them, and `discriminator`.
    """

    def __init__(self, autoencode: Autoencode, networks: dict[str, keras.Model], *, weights: LossWeights, seed: int):
        super().__init__(name="ganomaly")
        self.autoencode = lambda images, training: autoencode(networks, images, training)
        self.networks = networks
        self.discriminator = networks["discriminator"]
        self.second_encoder = networks["second_encoder"]
        restoring = [network for network in networks.values() if network is not self.discriminator]
        self.restoring_variables = [variable for network in restoring for variable in network.trainable_variables]
        self.term_weights = dataclasses.asdict(weights)
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, restoring_optimizer, discriminator_optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {
            "restoring_optimizer": loss_scaled(restoring_optimizer, self.second_encoder),
            "discriminator_optimizer": loss_scaled(discriminator_optimizer, self.discriminator),
        }
        self.optimizers["restoring_optimizer"].build(self.restoring_variables)
        self.optimizers["discriminator_optimizer"].build(self.discriminator.trainable_variables)

    def call(self, images):
        """The encodings (z, z') of images, both (B, latent_dim), as they are scored."""
        latent, restored = self.autoencode(images, training=False)
        return latent, self.second_encoder(restored, training=False)

    def parted(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Parts a batch in what goes in and what is to come out, (B, H, W, 1) each."""
        return batch, batch

    def contextual(self, batch, restored: tf.Tensor) -> tf.Tensor:
        """Measures how far what comes out, (B, H, W, 1), is from what should: a scalar."""
        return contextual_loss(batch, restored)

    def restore(self, images: tf.Tensor) -> tf.Tensor:
        """Restores in training: the same shape."""
        return self.autoencode(images, training=True)[1]

    def train_step(self, batch):
        images, target = self.parted(batch)
        with tf.GradientTape() as restoring_tape, tf.GradientTape() as discriminator_tape:
            latent, restored = self.autoencode(images, training=True)
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
        for i, variable in enumerate(keras_line.variables(self.discriminator)):
            variable.assign(first_value(variable, key(self.seed, self.step, i)))
        optimizer = self.optimizers["discriminator_optimizer"]
        # With loss scaling, the optimizer inside; the scale is one of the precision and stays.
        for variable in keras_line.variables(getattr(optimizer, "inner_optimizer", optimizer)):
            if keras_line.name_of(variable) != "learning_rate":
                variable.assign(tf.zeros(variable.shape, variable.dtype))
        return tf.constant(1.0)


class GanomalyDetector(Detector):
    """A = ||z - z'||_2, z = E1(x) and z' = E2(De(z)).

    So the chest X-ray thesis (eq. 4.5); the authors' code takes 1/d ||z - z'||^2, which ranks images the same.
    """

    KIND = "ganomaly"
    NETWORKS: dict[str, Callable[[NetworkSpec], keras.Model]] = {
        "first_encoder": first_encoder,
        "decoder": decoder,
        "second_encoder": second_encoder,
    }
    ENCODER = "first_encoder"

    @staticmethod
    def autoencode(networks: dict[str, keras.Model], images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Ganomaly`."""
        latent = networks["first_encoder"](images, training=training)
        return latent, networks["decoder"](latent, training=training)

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `Detector.measure` but feature_residual; latent_distance is 1/d ||z - z'||^2, latent z."""
        networks = {name: getattr(self, name) for name in self.NETWORKS}
        latent, restored = self.autoencode(networks, images, False)
        difference = latent - self.second_encoder(restored, training=False)
        return {
            "score": tf.norm(difference, axis=1),
            "image_residual": mean_square(images - restored),
            "latent_distance": mean_square(difference),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }


def _unet(spec: NetworkSpec) -> UNet:
    return spec.built(lambda: UNet(spec.image_shape, spec.dim), spec.image_shape)


def _bottom_encoder(spec: NetworkSpec) -> keras.Model:
    """The U-Net's deepest features to z: a dense layer, as at the end of E1."""
    parts = [keras.layers.Flatten(), keras.layers.Dense(spec.latent_dim, use_bias=False)]
    return spec.built(lambda: keras.Sequential(parts, name="bottom_encoder"), deepest_shape(spec.image_shape, spec.dim))


class UNetGanomalyDetector(GanomalyDetector):
    """The same, with a residual U-Net that restores. Past its bottom, image and restored image are joined by as many ways."""

    KIND = "ganomaly_unet"
    NETWORKS = {"unet": _unet, "bottom_encoder": _bottom_encoder, "second_encoder": second_encoder}
    ENCODER = ""

    @staticmethod
    def autoencode(networks: dict[str, keras.Model], images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Ganomaly`."""
        maps, deepest = networks["unet"](images, training=training)
        return tf.cast(networks["bottom_encoder"](deepest), tf.float32), tf.tanh(maps)


class GanomalyMethod(JointMethod):
    """GANomaly."""

    PHASES = ("ganomaly",)
    DETECTORS: tuple[type[GanomalyDetector], ...] = (GanomalyDetector, UNetGanomalyDetector)
    OPTIONS: tuple[str, ...] = (
        *("dim", "latent_dim", *UPDATES),
        *("ganomaly_autoencoder", "ganomaly_adversarial", "ganomaly_contextual", "ganomaly_encoding"),
    )

    def kind(self, options: Options) -> type[GanomalyDetector]:
        """Which of DETECTORS the options ask for."""
        return self.DETECTORS[options.ganomaly_autoencoder == "unet"]

    def training(self, spec: NetworkSpec, options: Options) -> Ganomaly:
        """See `JointMethod.training`."""
        keras.utils.set_random_seed(options.seed)
        kind = self.kind(options)
        networks = {name: make(spec) for name, make in kind.NETWORKS.items()} | {"discriminator": discriminator(spec)}
        training = self.made(
            options,
            kind.autoencode,
            networks,
            weights=LossWeights(options.ganomaly_adversarial, options.ganomaly_contextual, options.ganomaly_encoding),
            seed=options.seed,
        )
        training.compile(*(adam(options, 0.5) for _ in range(2)), jit_compile=compiles(options.jit_compile))
        return training

    def made(self, options: Options, *parts, **settings) -> Ganomaly:
        """Makes the training of these networks, not yet compiled. parts, settings: see `Ganomaly`."""
        return Ganomaly(*parts, **settings)

    def detector(self, training: Ganomaly, spec: NetworkSpec, options: Options) -> Detector:
        """See `JointMethod.detector`."""
        kind = self.kind(options)
        return kind(spec, **{name: training.networks[name] for name in kind.NETWORKS})

    def restored(self, training: Ganomaly, some: np.ndarray) -> dict[str, Sheet]:
        """See `JointMethod.restored`: of a U-Net, no images lie between two codes."""
        restore = lambda images: training.autoencode(tf.convert_to_tensor(images), training=False)[1]  # noqa: E731
        sheets = {"restored": monitoring.restored(restore, some)}
        if "decoder" in training.networks:
            encode, decode = training.networks["first_encoder"], training.networks["decoder"]
            sheets["interpolation"] = monitoring.interpolated_encodings(encode, decode, some)
        return sheets
