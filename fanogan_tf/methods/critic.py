"""The critic's own output (f-AnoGAN, section 3.1, A_D, eq. 6 and 7): a WGAN-GP on normal images, then its mean value on them."""

from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.normality import Hidden, Seen
from fanogan_tf.detection.scoring import batch_size_for
from fanogan_tf.methods.gan_phase import GanMethod
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.random_streams import Stream
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.gan import Dcgan, WganGp


class CriticDetector(Detector):
    """A_D = m - D(x), m the mean of D over training images; it may be negative, and says nothing of where.

    `mean`: m.
    """

    KIND = "critic"
    NETWORKS = {"critic": NetworkSpec.critic}
    SETTINGS = ("mean",)
    RESTORES = False

    def compute(self, images: tf.Tensor) -> dict[str, Any]:
        """The score, and what the critic sees."""
        seen = self.look(images)
        return {"score": self.mean - seen.values, "seen": Seen(seen)}

    def look(self, images: tf.Tensor) -> Hidden:
        """What the critic makes of images."""
        return Hidden(*self.critic.hidden(images))


MEAN_OVER = 32_000  # training images, the paper's number


class Critic(GanMethod):
    """The critic alone."""

    DETECTORS = (CriticDetector,)

    def detector(self, gan: WganGp | Dcgan, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> Detector:
        """See `GanMethod.detector`."""
        some = chosen(splits.train, options.seed)
        values = critic_values(spec, gan.critic, splits.train, some, batch_size_for(options.score_batch_size, spec.image_shape))
        return CriticDetector(spec, critic=gan.critic, mean=float(np.mean(values)))


def chosen(images: ImageSet, seed: int, most: int = MEAN_OVER) -> np.ndarray:
    """Indices, sorted, of `most` images at random; of all where there are fewer."""
    return np.sort(np.random.default_rng([seed, Stream.CRITIC_MEAN]).permutation(len(images))[:most])


def critic_values(spec, critic, images: ImageSet, indices: np.ndarray, batch_size: int) -> np.ndarray:
    """D(x) of the images at `indices`: (n,) float64."""
    plain = CriticDetector(spec, critic=critic, mean=0.0)
    parts = [indices[first : first + batch_size] for first in range(0, len(indices), batch_size)]
    return -np.concatenate([plain.measure(images.float_images(part))["score"] for part in parts]).astype(np.float64)
