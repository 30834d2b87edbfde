"""Mapping by gradient descent (f-AnoGAN, section 3.1, "iterative"): a search for z, image by image, on f-AnoGAN's WGAN-GP.

An encoder, f-AnoGAN's own, is trained only where the mapping starts from its guess.
"""

from typing import Any

import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection import latent_search
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.normality import Hidden, Seen
from fanogan_tf.detection.scoring import anomaly_score, pixel_map
from fanogan_tf.errors import UserError
from fanogan_tf.methods.fanogan import ENCODER, check_encoder, train_encoder
from fanogan_tf.methods.gan_phase import MAPPING, GanMethod, search_settings
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.checkpointing import checkpoints_in, saved_seconds
from fanogan_tf.training.gan import Dcgan, WganGp
from fanogan_tf.training.losses import mean_square


class IterativeDetector(Detector):
    """A = A_R + kappa A_D of the G(z) that the mapping ends with; A is the mapping's loss too."""

    KIND = "iterative"
    NETWORKS = {"generator": NetworkSpec.generator, "critic": NetworkSpec.critic}
    SETTINGS = ("kappa", *latent_search.SETTINGS)
    EARLIER = latent_search.EARLIER

    def start(self, images: tf.Tensor) -> tf.Tensor | None:
        """The first z: (B, latent_dim); None for what `start_from` says."""
        return None

    def compute(self, images: tf.Tensor) -> dict[str, Any]:
        """All of `Detector.measure` but the latent distance; latent is the mapping's z, in [-1, 1]."""
        seen = self.look(images)

        def residuals(restored: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return mean_square(images - restored), mean_square(seen.features - self.critic(restored)[1])

        loss = lambda restored: anomaly_score(*residuals(restored), self.kappa)  # noqa: E731
        latent = latent_search.search(self, images, loss, self.start(images)).z
        restored = self.generator(latent, training=False)
        seen_again = self.look(restored)
        image_residual, feature_residual = mean_square(images - restored), mean_square(seen.features - seen_again.features)
        return {
            "score": anomaly_score(image_residual, feature_residual, self.kappa),
            "image_residual": image_residual,
            "feature_residual": feature_residual,
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
            "seen": Seen(seen, seen_again),
        }

    def look(self, images: tf.Tensor) -> Hidden:
        """What the critic makes of images."""
        return Hidden(*self.critic.hidden(images))


class WarmIterativeDetector(IterativeDetector):
    """The same from where the encoder guesses z to be, cut off at +-1."""

    KIND = "iterative_from_encoder"
    NETWORKS = {"encoder": NetworkSpec.encoder, "generator": NetworkSpec.generator, "critic": NetworkSpec.critic}

    def start(self, images: tf.Tensor) -> tf.Tensor | None:
        return self.encoder(images, training=False)


class Iterative(GanMethod):
    """The mapping from the nearest of some samples; with `--mapping_start` from one random z, or from an encoder's guess."""

    PHASES = ("gan", "encoder")
    DETECTORS = (IterativeDetector, WarmIterativeDetector)
    OPTIONS = (*GanMethod.OPTIONS, *ENCODER, *MAPPING, "kappa")

    def settings(self, options: Options) -> tuple[str, ...]:
        """See `Method.settings`: those of the encoder only where there is one."""
        return tuple(name for name in super().settings(options) if _warm(options) or name not in ENCODER)

    def check_member(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `GanMethod.check_member`.

        Raises:
          UserError: what `GanMethod.check_member` raises; an encoder is asked for that nothing needs; or, where it is needed,
            what `check_encoder` says of it.
        """
        if not _warm(options) and "gan" not in phases:
            raise UserError(
                f"--phase=encoder: no encoder is used with --mapping_start={options.mapping_start}; leave --phase out"
            )
        super().check_member(run, options, splits, phases, overwrite)
        if _warm(options):
            check_encoder(run, options, phases, overwrite)

    def last_phase(self, options: Options) -> str:
        """See `GanMethod.last_phase`."""
        return "encoder" if _warm(options) else "gan"

    def detector(self, gan: WganGp | Dcgan, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> Detector:
        """See `GanMethod.detector`."""
        parts = {
            "generator": gan.generator,
            "critic": gan.critic,
            "kappa": options.kappa,
            **search_settings(options),
        }
        if _warm(options):
            return WarmIterativeDetector(spec, encoder=train_encoder(gan, spec, run, options, splits), **parts)
        return IterativeDetector(spec, **parts)

    def member_seconds(self, run: RunDirectory) -> dict[str, float]:
        """See `GanMethod.member_seconds`; without the encoder where there is none."""
        encoder = saved_seconds(checkpoints_in(run.encoder))
        return super().member_seconds(run) | ({"encoder": encoder} if encoder else {})


def _warm(options: Options) -> bool:
    return options.mapping_start == "encoder"
