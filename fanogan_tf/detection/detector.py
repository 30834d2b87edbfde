"""The detector: everything that turns an image into a score, a map and a decision, as one thing to save, load and serve."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import files
from fanogan_tf.detection import terms
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.detection.normality import Hidden, Normality
from fanogan_tf.detection.regions import Front
from fanogan_tf.detection.robust import Scales
from fanogan_tf.detection.scoring import ScoresImages
from fanogan_tf.networks.spec import NetworkSpec, tf_variables

SETTINGS_FILE = "detector.json"
FRONT = "front"
_WEIGHTS = "weights"
_ARRAYS = "arrays.npz"
_NORMALITY = "normality.npz"


class Detector(ScoresImages):
    """What all methods share; a subclass says in `compute` how it measures.

    All networks run in inference mode: the score of an image depends on that image alone.

    Attributes:
      KIND: name of the subclass in files.
      NETWORKS: how each of its networks is made; each is an attribute of that name.
      SETTINGS: names of its numbers and choices, attributes as well.
      EARLIER: of those that files of earlier versions do not have, what they were then.
      ARRAYS: names of its arrays, attributes of type tf.Tensor.
      INPUTS: names of what it takes of each image, columns of a batch: `image`, and perhaps `region`.
      RESTORES: whether it measures reconstruction and residual.
      ENCODER: name of the network from images to latent vectors, where it has one.
      front: what cuts films to their organ before they are scored; None where images are scored whole.
      normality, scales: what is known of normal images, with which more terms are measured; None where there is no critic, and
        in detectors of earlier versions.
      scored_by: `paper`, the method's own score, or `robust`, see `robust.score`.
    """

    KIND: str
    NETWORKS: dict[str, Callable[[NetworkSpec], keras.Model]]
    SETTINGS: tuple[str, ...] = ()
    EARLIER: dict[str, Any] = {}
    ARRAYS: tuple[str, ...] = ()
    RESTORES: bool = True
    ENCODER: str = "encoder"

    def __init__(self, spec: NetworkSpec, *, calibration: Calibration | None = None, **parts: keras.Model | float | np.ndarray):
        """`parts`: the networks, settings and arrays by their names."""
        self.normality: Normality | None = None
        self.scales: Scales | None = None
        self.scored_by = "paper"
        self.front: Front | None = None
        needed = (*self.NETWORKS, *self.SETTINGS, *self.ARRAYS)
        if parts.keys() != set(needed):
            raise TypeError(f"{self.KIND}: needs {', '.join(needed)}, not {', '.join(parts)}")
        for name, part in parts.items():
            setattr(self, name, tf.constant(part) if name in self.ARRAYS else part)
        self.spec = spec
        self.calibration = calibration
        self.latent_dim = spec.latent_dim
        self._trace()

    def _trace(self) -> None:
        pixels = tf.TensorSpec((None, *self.spec.image_shape), tf.float32)
        self._measure = tf.function(self.measured, autograph=False, input_signature=[pixels] * len(self.INPUTS))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Networks, settings and arrays are attributes, by the names that the subclass gives them."""

    def prepared(self, images: tf.Tensor, *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Inputs as the networks see them, see `NetworkSpec.prepared`; an organ's region stays as it is."""
        return self.spec.prepared(images), *others

    def shown(self, images: np.ndarray) -> np.ndarray:
        """Images (B, H, W, 1) as the networks see them, to be drawn beside restored ones."""
        return np.asarray(self.spec.prepared(tf.convert_to_tensor(images)))

    def compute(self, *inputs: tf.Tensor) -> dict[str, Any]:
        """The method's own score and what goes with it; in a graph, from and as tensors, for any batch size.

        Inputs are `prepared`.
        `seen`: where there is a critic, what it makes of the images, a `normality.Seen`. The rest: see `measure`.
        """
        raise NotImplementedError

    def look(self, images: tf.Tensor) -> Hidden:
        """What the critic makes of images (B, H, W, 1); only where `compute` returns `seen`."""
        raise NotImplementedError

    @property
    def sees(self) -> bool:
        """Whether there is a critic whose view of normal images can be described."""
        return type(self).look is not Detector.look

    def describe_normals(self, normality: Normality, scales: Scales, scored_by: str) -> None:
        """Measures all terms from now on. scored_by: see the class."""
        self.normality, self.scales, self.scored_by = normality, scales, scored_by
        self._trace()

    def measured(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `measure` returns, from and as tensors; in a graph, for any batch size."""
        inputs = self.prepared(*inputs)
        measured = self.compute(*inputs)
        seen = measured.pop("seen", None)
        if seen is None or self.normality is None or self.scales is None:
            return measured
        return terms.with_terms(measured, inputs[0], seen, self.normality, self.scales, self.scored_by)

    def measure(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Scores images.

        Args:
          inputs: one array (B, H, W, 1) for each of INPUTS: images in [-1, 1], regions 0 or 1.

        Returns:
          score (B,), higher is more anomalous; and of the following what the method has:
          image_residual, feature_residual, latent_distance: each (B,). Those of `terms.with_terms`.
          reconstruction in [-1, 1] and residual in [0, 2]: (B, H, W, 1). latent: (B, latent_dim).
        """
        tensors = [tf.convert_to_tensor(values, tf.float32) for values in inputs]
        return {name: value.numpy() for name, value in self._measure(*tensors).items()}

    def judge(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`measure`, and what the calibration makes of the score: probability (B,) float64 and anomalous (B,) bool.

        Where it has a filter, certainly_normal (B,) bool as well.
        """
        measured = self.measure(*inputs)
        calibration, score = self.calibrated(), measured["score"]
        sure = {} if calibration.filter is None else {"certainly_normal": calibration.certainly_normal(score)}
        return {**measured, "probability": calibration.probability(score), "anomalous": calibration.anomalous(score), **sure}

    def calibrated(self) -> Calibration:
        """The calibration. Raises ValueError where there is none yet."""
        if self.calibration is None:
            raise ValueError(f"{self.KIND}: not calibrated yet")
        return self.calibration

    def cut(self, image: np.ndarray) -> np.ndarray:
        """See `ScoresImages.cut`. Raises OrganNotFound, see `Front.cut`."""
        return image if self.front is None else self.front.cut(image)

    def box(self, image: np.ndarray) -> tuple[int, int, int, int] | None:
        """See `ScoresImages.box`. Raises OrganNotFound, see `Front.box`."""
        return None if self.front is None else self.front.box(image)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 1)."""
        return self.spec.image_shape

    @property
    def can_generate(self) -> bool:
        """Whether `generate` makes images."""
        return "generator" in self.NETWORKS

    def generate(self, z: np.ndarray) -> np.ndarray:
        """G(z): (B, latent_dim) -> (B, H, W, 1) in [-1, 1]; only where `can_generate`."""
        if not hasattr(self, "_generate"):
            signature = [tf.TensorSpec((None, self.latent_dim), tf.float32)]
            self._generate = tf.function(lambda z: self.generator(z, training=False), autograph=False, input_signature=signature)
        return np.asarray(self._generate(tf.convert_to_tensor(z, tf.float32)))

    def checkpoint(self) -> tf.train.Checkpoint:
        """All variables of all networks."""
        return tf.train.Checkpoint(**{name: tf_variables(getattr(self, name)) for name in self.NETWORKS})

    def save(self, folder: Path) -> None:
        """Writes the calibrated detector as `folder`, in place of what was there; never half."""
        settings = {
            "kind": self.KIND,
            "networks": dataclasses.asdict(self.spec),
            "settings": {name: getattr(self, name) for name in self.SETTINGS},
            "calibration": self.calibrated().to_json(),
        }
        if self.scales is not None:
            settings |= {"scored_by": self.scored_by, "scales": dataclasses.asdict(self.scales)}
        with files.whole_folder(folder) as temporary:
            self.checkpoint().write(str(temporary / _WEIGHTS))
            if self.ARRAYS:
                np.savez(temporary / _ARRAYS, **{name: getattr(self, name).numpy() for name in self.ARRAYS})
            if self.normality is not None:
                known: dict[str, Any] = self.normality.arrays()
                np.savez(temporary / _NORMALITY, **known)
            self.save_front(temporary)
            (temporary / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")

    def save_front(self, folder: Path) -> None:
        """Writes what stands before the detector, if anything does, below `folder`."""
        if self.front is not None:
            self.front.save(folder / FRONT)

    @classmethod
    def from_settings(cls, settings: dict, folder: Path, precision: str = "") -> "Detector":
        """The reverse of `save`; see `methods.load_detector`."""
        networks = settings["networks"]
        networks |= {"image_shape": tuple(networks["image_shape"]), "precision": precision or networks["precision"]}
        spec = NetworkSpec(**networks)
        parts = {name: make(spec) for name, make in cls.NETWORKS.items()}
        if cls.ARRAYS:
            with np.load(Path(folder) / _ARRAYS, allow_pickle=False) as arrays:
                parts |= {name: arrays[name] for name in cls.ARRAYS}
        parts |= cls.EARLIER | settings["settings"]
        detector = cls(spec, calibration=Calibration.from_json(settings["calibration"]), **parts)
        detector.checkpoint().read(str(Path(folder) / _WEIGHTS)).assert_existing_objects_matched()
        if "scales" in settings:
            scales = Scales(**settings["scales"] | {"blocks": tuple(settings["scales"]["blocks"])})
            with np.load(Path(folder) / _NORMALITY, allow_pickle=False) as arrays:
                detector.describe_normals(Normality(**arrays), scales, settings["scored_by"])
        return detector
