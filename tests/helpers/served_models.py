"""Detectors of every kind that were never trained: their scores mean nothing, and are numbers like any other."""

import base64
import functools
import io
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from fanogan_tf import datasets
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import Detector
from fanogan_tf.methods import detector_kinds
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options

SHAPE = (16, 16, 1)
PIXELS = 256
SETTINGS = {"kappa": 1.5, "steps": 6, "learning_rate": 0.1, "patience": 3, "seed": 0, "anogan_lambda": 0.1, "mean": 0.3}
SETTINGS |= {"clipping": "projected", "start_from": "nearest"}
SETTINGS |= {"gamma": 1e-2, "intercept": -0.2}


@functools.cache
def test_set() -> ImageSet:
    """All of the test split of scikit-learn's digits, zeros normal."""
    return datasets.load(Options(dataset="digits", normal_class="0", image_size="16"), Path("unused")).test


def detector(kind: str = "encoder", shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> Detector:
    """A calibrated one. Every weight counts: none is zero or one, as they are at the start."""
    random = np.random.default_rng(seed)
    # The first weights, too, are the same whatever tests ran before.
    keras.utils.set_random_seed(seed)
    made = detector_kinds()[kind]
    spec = NetworkSpec(shape, dim=2, latent_dim=3, network="dcgan" if kind.startswith("anogan") else "resnet")
    networks = {name: make(spec) for name, make in made.NETWORKS.items()}
    for network in networks.values():
        for weights in network.weights:
            weights.assign(np.asarray(weights) + np.abs(random.normal(0.0, 0.1, weights.shape)))
    settings = {name: SETTINGS[name] for name in made.SETTINGS}
    arrays = {name: _array(name, kind, random) for name in made.ARRAYS}
    result = made(spec, **networks, **settings, **arrays)
    normal = test_set().float_images(np.arange(20)) if shape == SHAPE else random.uniform(-1, 1, (20, *shape))
    result.calibration = calibrate(result.measure(normal)["score"], "quantile", 0.05)
    return result


def _array(name: str, kind: str, random: np.random.Generator) -> np.ndarray:
    if kind == "pca":
        return random.normal(0.0, 0.1, PIXELS if name == "mean" else (5, PIXELS)).astype(np.float32)
    shapes = {"mean": PIXELS, "components": (5, PIXELS), "support_vectors": (9, 5), "weights": 9}
    return random.normal(0.0, 0.1, shapes[name])


def b64(contents: bytes) -> dict:
    return {"b64": base64.b64encode(contents).decode()}


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()
