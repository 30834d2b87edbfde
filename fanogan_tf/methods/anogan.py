"""AnoGAN (Schlegl et al. 2017) and its references GAN_R and P_D: a DCGAN on normal images, then a mapping by gradient descent.

Unlike the means of the other methods, all terms here are sums over pixels or features, as in the paper: they grow with the image.
"""

import math
from typing import Any

import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection import latent_search
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.normality import Hidden, Seen
from fanogan_tf.detection.robust import softplus
from fanogan_tf.detection.scoring import pixel_map
from fanogan_tf.errors import UserError
from fanogan_tf.methods.base import network_spec
from fanogan_tf.methods.gan_phase import MAPPING, GanMethod, search_settings
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.gan import Dcgan, WganGp
from fanogan_tf.training.losses import against_real


def sum_of_differences(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Sum |one - other| per image: (B, ...) -> (B,)."""
    return tf.reduce_sum(tf.abs(one - other), axis=list(range(1, one.shape.rank)))


def weighted(residual: tf.Tensor, discrimination: tf.Tensor, weight: float) -> tf.Tensor:
    """(1 - lambda) R + lambda D (the paper's eq. 4 and 5), `weight` = lambda: (B,)."""
    return (1.0 - weight) * residual + weight * discrimination


class AnoganDetector(Detector):
    """A = (1 - lambda) R + lambda D of the G(z) that the mapping ends with; A is also what the mapping minimises.

    R(x) = sum |x - G(z)|, D(x) = sum |f(x) - f(G(z))|, f the discriminator's features. Sums, not means, in A and in its columns:
    image_residual is R, feature_residual is D.

    `anogan_lambda`: lambda. Other settings: see `latent_search.search`.
    """

    KIND = "anogan"
    NETWORKS = {"generator": NetworkSpec.generator, "critic": NetworkSpec.critic}
    SETTINGS = ("anogan_lambda", *latent_search.SETTINGS)
    EARLIER = latent_search.EARLIER

    def compute(self, images: tf.Tensor) -> dict[str, Any]:
        """All of `Detector.measure` that the method has; latent is the mapping's z, in [-1, 1]."""
        target = self.target(images)
        # By Adam's step a constant factor of the loss changes nothing; a mean over pixels suits the mapping in float16.
        pixels = float(math.prod(images.shape[1:]))

        def loss(restored: tf.Tensor) -> tf.Tensor:
            residual = sum_of_differences(images, restored)
            return weighted(residual, self.discrimination(target, restored), self.anogan_lambda) / pixels

        latent = latent_search.search(self, images, loss).z
        restored = self.generator(latent, training=False)
        residual, discrimination = sum_of_differences(images, restored), self.discrimination(target, restored)
        return {
            "score": weighted(residual, discrimination, self.anogan_lambda),
            "image_residual": residual,
            **self.column(discrimination),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
            "seen": Seen(self.look(images), self.look(restored)),
        }

    def look(self, images: tf.Tensor) -> Hidden:
        """What the discriminator makes of images."""
        return Hidden(*self.critic.hidden(images))

    def target(self, images: tf.Tensor) -> tf.Tensor:
        """What G(z) is compared with besides the pixels: f(x), (B, n). It does not change during the mapping."""
        return self.critic(images)[1]

    def discrimination(self, target: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
        """D(x): (B,)."""
        return sum_of_differences(target, self.critic(restored)[1])

    def column(self, discrimination: tf.Tensor) -> dict[str, tf.Tensor]:
        """Where D(x) goes in the table."""
        return {"feature_residual": discrimination}


class GanRDetector(AnoganDetector):
    """The reference GAN_R: D'(x) = -log D(G(z)), cross entropy of the discriminator's output against "real", in place of D(x).

    As in semantic inpainting (Yeh et al. 2016). No features are compared, so there is no feature_residual.
    """

    KIND = "anogan_gan_r"

    def target(self, images):
        return tf.zeros((0,))

    def discrimination(self, target, restored):
        return against_real(self.critic(restored)[0])

    def column(self, discrimination):
        return {}


class DiscriminatorDetector(Detector):
    """-log D(x), D(x) the discriminator's probability that x is real; at least 0. It says nothing of where.

    Grows as 1 - D(x) does, so that every ROC curve is the same, and still tells images apart where D(x) rounds to 1.
    """

    KIND = "anogan_p_d"
    NETWORKS = {"critic": NetworkSpec.critic}
    RESTORES = False

    def compute(self, images: tf.Tensor) -> dict[str, Any]:
        """The score, and what the discriminator sees."""
        seen = self.look(images)
        return {"score": softplus(-seen.values), "seen": Seen(seen)}

    def look(self, images: tf.Tensor) -> Hidden:
        """What the discriminator makes of images."""
        return Hidden(*self.critic.hidden(images))


class Anogan(GanMethod):
    """AnoGAN, or with `--anogan_variant` one of its references."""

    DETECTORS = (AnoganDetector, GanRDetector, DiscriminatorDetector)
    OPTIONS = (*GanMethod.OPTIONS, "anogan_variant", "anogan_lambda", *MAPPING)

    def settings(self, options: Options) -> tuple[str, ...]:
        """See `Method.settings`: P_D has no mapping."""
        left_out = ("anogan_lambda", *MAPPING) if options.anogan_variant == "p_d" else ()
        return tuple(name for name in super().settings(options) if name not in left_out)

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `Method.check`.

        Raises:
          UserError: there is no encoder to start from; the variant needs a discriminator and the critic is not one; or what
            `GanMethod.check` raises.
        """
        if options.mapping_start == "encoder":
            raise UserError("--mapping_start=encoder: anogan trains no encoder; leave --mapping_start out")
        if options.anogan_variant != "anogan" and network_spec(options, splits.train.image_shape).network != "dcgan":
            raise UserError(
                f"--anogan_variant={options.anogan_variant}: needs the probability that an image is real, and a Wasserstein "
                "critic gives none; add --network=dcgan"
            )
        super().check(run, options, splits, phases, overwrite)

    def detector(self, gan: WganGp | Dcgan, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> Detector:
        """See `GanMethod.detector`."""
        if options.anogan_variant == "p_d":
            return DiscriminatorDetector(spec, critic=gan.critic)
        kind = GanRDetector if options.anogan_variant == "gan_r" else AnoganDetector
        return kind(
            spec,
            generator=gan.generator,
            critic=gan.critic,
            anogan_lambda=options.anogan_lambda,
            **search_settings(options),
        )
