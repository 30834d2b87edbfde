"""ROI-GANomaly with SURE: GANomaly whose autoencoder restores the lungs alone, of whole chest films.

The proposal of the chest X-ray thesis (seeds/004, chapter 4): E1 sees the whole film x, the decoder is to restore y, which is x
with all but the lungs black, and E2 encodes what it restored. L = L_adv + L_enc + 50 L_sure. Instead of the distance from y, with
the film's noise in it, L_sure estimates the distance from y without noise (`training/risk.py`). With `l2` it is the thesis's
"oracle".

As in GANomaly here, means stand where the thesis writes norms. Regions are needed to train, not to score.
"""

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.data.standardise import standardised
from fanogan_tf.distributed import replicas
from fanogan_tf.errors import UserError
from fanogan_tf.methods.ganomaly import Ganomaly, GanomalyDetector, GanomalyMethod
from fanogan_tf.networks.latent import key
from fanogan_tf.options import Options
from fanogan_tf.random_streams import RiskDraw
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import risk

# Held-out films that the noise is estimated from.
_MOST_FILMS = 200


class RoiGanomaly(Ganomaly):
    """`fit` on dicts of image and region, (B, H, W, 1) each, images in [-1, 1] and regions 0 or 1.

    consistency: `sure`, `poisson_gauss` or `l2`. sigma, gain: of the noise, see `risk.poisson_gaussian`.
    """

    def __init__(self, *parts, consistency: str, sigma: float = 0.0, gain: float = 0.0, **settings):
        super().__init__(*parts, **settings)
        self.consistency = consistency
        self.sigma, self.gain = sigma, gain

    def parted(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Ganomaly.parted`: the film, and the film cut out."""
        return batch["image"], risk.cut_out(batch["image"], batch["region"])

    def contextual(self, batch, restored: tf.Tensor) -> tf.Tensor:
        """See `Ganomaly.contextual`: the estimated distance of restored lungs from those without noise."""
        images, regions = batch["image"], batch["region"]
        if self.consistency == "l2":
            return tf.reduce_mean(risk.squared_error(restored, images, regions))
        shape = [tf.shape(images)[0], *images.shape[1:]]
        probe = replicas.drawn(tf.random.stateless_normal, shape, key(self.seed, self.step, RiskDraw.PROBE))
        if self.consistency == "sure":
            return tf.reduce_mean(risk.gaussian(self.restore, restored, images, regions, self.sigma, probe))
        skewed = risk.skewed_draw(replicas.drawn(tf.random.stateless_uniform, shape, key(self.seed, self.step, RiskDraw.SKEWED)))
        noise = (self.sigma, self.gain)
        return tf.reduce_mean(risk.poisson_gaussian(self.restore, restored, images, regions, *noise, probe, skewed))


class RoiGanomalyDetector(GanomalyDetector):
    """A = ||z - z'||_2 of the whole film's encoding and that of the lungs restored from it (the thesis's eq. 4.5).

    Pixels where the decoder restores no lung have no residual: the rest of the film was never to be restored.
    """

    KIND = "roi_ganomaly"

    def compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """All of `GanomalyDetector.compute`, the residual within the lungs."""
        measured = super().compute(images)
        lungs = tf.cast(measured["reconstruction"] > risk.BLACK + 0.1, tf.float32)
        residual = lungs * measured["residual"]
        share = tf.maximum(tf.reduce_mean(lungs, axis=[1, 2, 3]), 1e-6)
        return measured | {
            "residual": residual,
            "image_residual": tf.reduce_mean(tf.square(residual), axis=[1, 2, 3]) / share,
        }


class RoiGanomalyMethod(GanomalyMethod):
    """ROI-GANomaly."""

    DETECTORS = (RoiGanomalyDetector,)
    OPTIONS = (*(name for name in GanomalyMethod.OPTIONS if name != "ganomaly_autoencoder"), "consistency", "noise_sigma")
    TRAINED_ON = ("image", "region")

    def kind(self, options: Options) -> type[GanomalyDetector]:
        """See `GanomalyMethod.kind`."""
        return RoiGanomalyDetector

    def settings(self, options: Options) -> tuple[str, ...]:
        """See `Method.settings`: no noise where the distance is that from the films as they are."""
        return tuple(name for name in self.OPTIONS if name != "noise_sigma" or options.consistency != "l2")

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `Method.check`.

        Raises:
          UserError: what `JointMethod.check` raises; or there are no regions to train on.
        """
        super().check(run, options, splits, phases, overwrite)
        if splits.train.regions is None:
            raise UserError(
                f"--method={options.method}: needs the region of the organ for every training image; add a folder train_regions/ "
                "of masks with the images' names (see --dataset=folder)"
            )

    def made(self, options: Options, *parts, **settings) -> Ganomaly:
        """See `GanomalyMethod.made`."""
        return RoiGanomaly(*parts, consistency=options.consistency, **settings)

    def look_at(self, training: keras.Model, splits: Splits, options: Options) -> None:
        """See `JointMethod.look_at`: estimates the noise from held-out films, unless it is given."""
        if options.consistency == "l2":
            return
        some = np.arange(min(_MOST_FILMS, len(splits.validation)))
        images, regions = splits.validation.inputs(some, self.TRAINED_ON)
        films = np.asarray(standardised(tf.convert_to_tensor(images), options.standardise, options.sharpness))
        if options.consistency == "sure":
            training.sigma = options.noise_sigma or risk.gaussian_noise(films, regions)
            print(f"noise of the films: sigma {training.sigma:.4f}", flush=True)
        else:
            sigma, training.gain = risk.mixed_noise(films, regions)
            training.sigma = options.noise_sigma or sigma
            print(f"noise of the films: sigma {training.sigma:.4f}, gain {training.gain:.5f}", flush=True)
