"""Everything that turns an image into a score, a map and a decision, as one thing to save, load and serve."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import files
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.detection.scores import anomaly_score, pixel_map
from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.networks.variables import tf_variables
from fanogan_tf.training.losses import mean_square

_SETTINGS = "detector.json"
_WEIGHTS = "weights"


class Detector:
    """Encoder, generator, critic and calibration.

    All networks run in inference mode: the score of an image depends on that image alone.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        encoder: keras.Model,
        generator: keras.Model,
        critic: keras.Model,
        *,
        kappa: float,
        calibration: Calibration | None = None,
    ):
        self.spec = spec
        self.encoder = encoder
        self.generator = generator
        self.critic = critic
        self.kappa = kappa
        self.calibration = calibration
        self.latent_dim = spec.latent_dim
        images = tf.TensorSpec((None, *spec.image_shape), tf.float32)
        self._measure = tf.function(self._compute, input_signature=[images])
        self._generate = tf.function(
            lambda z: generator(z, training=False), input_signature=[tf.TensorSpec((None, spec.latent_dim), tf.float32)]
        )

    def measure(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Scores images (B, H, W, 1) in [-1, 1].

        Returns:
          score A, image_residual A_R, feature_residual A_D, latent_distance 1/d ||E(x) - E(G(E(x)))||^2: each (B,).
          reconstruction G(E(x)) in [-1, 1] and residual |x - G(E(x))| in [0, 2]: (B, H, W, 1). latent E(x): (B, latent_dim).
        """
        return {name: value.numpy() for name, value in self._measure(tf.convert_to_tensor(images, tf.float32)).items()}

    def generate(self, z: np.ndarray) -> np.ndarray:
        """G(z): (B, latent_dim) -> (B, H, W, 1) in [-1, 1]."""
        return self._generate(tf.convert_to_tensor(z, tf.float32)).numpy()

    def _compute(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        latent = self.encoder(images, training=False)
        restored = self.generator(latent, training=False)
        # One pass of the critic over both halves: the same values, better filled kernels.
        features, restored_features = tf.split(self.critic(tf.concat([images, restored], axis=0))[1], 2)
        image_residual = mean_square(images - restored)
        feature_residual = mean_square(features - restored_features)
        return {
            "score": anomaly_score(image_residual, feature_residual, self.kappa),
            "image_residual": image_residual,
            "feature_residual": feature_residual,
            "latent_distance": mean_square(latent - self.encoder(restored, training=False)),
            "reconstruction": restored,
            "residual": pixel_map(images, restored),
            "latent": latent,
        }

    def _checkpoint(self) -> tf.train.Checkpoint:
        networks = {"encoder": self.encoder, "generator": self.generator, "critic": self.critic}
        return tf.train.Checkpoint(**{name: tf_variables(network) for name, network in networks.items()})

    def save(self, folder: Path) -> None:
        """Writes the calibrated detector as `folder`, in place of what was there; never half."""
        settings = {
            "networks": dataclasses.asdict(self.spec),
            "kappa": self.kappa,
            "calibration": self.calibration.to_json(),
        }
        with files.whole_folder(folder) as temporary:
            self._checkpoint().write(str(temporary / _WEIGHTS))
            (temporary / _SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, precision: str = "") -> "Detector":
        """The reverse of `save`. `precision`: arithmetic to score in, see `NetworkSpec`; "" is that of the training.

        Raises:
          UserError: there is no detector in `folder`.
        """
        path = Path(folder) / _SETTINGS
        if not path.is_file():
            raise UserError(f"{folder}: no trained detector here; run scripts/train.py to the end first")
        settings = json.loads(path.read_text(encoding="utf-8"))
        networks = settings["networks"]
        networks |= {"image_shape": tuple(networks["image_shape"]), "precision": precision or networks["precision"]}
        spec = NetworkSpec(**networks)
        detector = cls(
            spec,
            spec.encoder(),
            spec.generator(),
            spec.critic(),
            kappa=settings["kappa"],
            calibration=Calibration.from_json(settings["calibration"]),
        )
        detector._checkpoint().read(str(Path(folder) / _WEIGHTS)).assert_existing_objects_matched()
        return detector
