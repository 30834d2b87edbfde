"""Synthetic images and weights for the benchmarks: speed depends on their sizes, not on their content."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.networks.spec import NetworkSpec


def noise(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Makes noise images, (count, side, side, 1) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 1), np.uint8)


def signed_noise(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Makes noise images, (count, side, side, 1) float32 in [-1, 1)."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, side, side, 1)).astype(np.float32)


def image_set(images: np.ndarray) -> ImageSet:
    """Wraps `images` (an array or a memory map) as unlabelled images."""
    count = len(images)
    return ImageSet(images, np.full(count, -1), np.full(count, ""), np.array([f"{i:06d}" for i in range(count)]))


def write_pngs(folder: Path, count: int, side: int) -> list[Path]:
    """Writes `count` grey images into a new `folder`; returns their paths."""
    folder.mkdir()
    paths = [folder / f"{i:06d}.png" for i in range(count)]
    for path, image in zip(paths, noise(count, side), strict=True):
        Image.fromarray(image[..., 0]).save(path)
    return paths


def randomise(network: keras.Model, seed: int) -> None:
    """Randomises all variables that start as 0 or 1, moving statistics included, as if the network had been trained."""
    rng = np.random.default_rng(seed)
    for variable in network.variables:
        kind = variable.path.rsplit("/", 1)[-1]
        if kind in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif kind in ("beta", "bias", "moving_mean"):
            variable.assign(rng.normal(0.0, 0.1, variable.shape))


def detector(spec: NetworkSpec, kappa: float = 1.0, seed: int = 0) -> EncoderDetector:
    """Makes a calibrated detector with random weights."""
    keras.utils.set_random_seed(seed)
    networks = {name: getattr(spec, name)() for name in EncoderDetector.NETWORKS}
    for number, network in enumerate(networks.values()):
        randomise(network, seed + number)
    return EncoderDetector(spec, **networks, kappa=kappa, calibration=calibrate(np.arange(10.0), "quantile", 0.05))
