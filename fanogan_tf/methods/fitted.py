"""The plain baselines, fitted at once instead of trained step by step, and their fit kept on disk."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.methods.base import Method, calibrate_and_save, check_held_out, network_spec
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.random_streams import Stream
from fanogan_tf.run_directory import RunDirectory

_FILE = "fitted.npz"
_SECONDS = "seconds"
_SOME = 256


class FittedMethod(Method):
    """A method without networks or steps, fitted once to the training images."""

    PHASES = ("fit",)
    OPTIONS = ("latent_dim", "fit_images")

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `Method.check`. Images of any size will do.

        Raises:
          UserError: there are too few images to fit, or too few are held out to calibrate; or several devices are asked for.
        """
        check_held_out(splits)
        if options.strategy != "none":
            raise UserError(
                f"--strategy={options.strategy}: --method={options.method} is fitted by one device; leave --strategy out"
            )
        if len(splits.train) < 2:
            raise UserError(f"--method={options.method}: there is one training image, it needs at least two; add normal images")

    def train(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...]) -> None:
        """See `Method.train`: fits where that is not done yet."""

        def of_the_images() -> dict[str, np.ndarray]:
            rows = flat_images(splits.train, options.fit_images, options.seed, options.random_flip, spec.prepared)
            return self.fit(rows, options.latent_dim, options.seed)

        spec = network_spec(options, splits.train.image_shape)
        arrays = fitted(run.phase("fit"), of_the_images)
        detector = self.detector(arrays, spec)
        calibrate_and_save([detector], run, options, splits)

    def training_seconds(self, run: RunDirectory) -> dict[str, float]:
        """See `Method.training_seconds`."""
        return {"fit": fitted_seconds(run.phase("fit"))}

    def fit(self, rows: np.ndarray, most_components: int, seed: int) -> dict[str, np.ndarray]:
        """Fits rows of pixels (n, H * W) float32 in [-1, 1], n >= 2; returns arrays by name."""
        raise NotImplementedError

    def detector(self, arrays: dict[str, np.ndarray], spec: NetworkSpec) -> Detector:
        """Makes the detector, not yet calibrated, of what `fit` returned, and prints its size."""
        raise NotImplementedError


def flat_images(
    images: ImageSet, most: int, seed: int, random_flip: bool = False, prepared: Callable[[tf.Tensor], tf.Tensor] = tf.identity
) -> np.ndarray:
    """All images as rows of pixels, or `most` of them at random where there are more: (n, H * W) float32 in [-1, 1].

    `random_flip`: each is mirrored left-right with probability 1/2, as in training. `prepared`: what becomes of images then.
    """
    random = np.random.default_rng([seed, Stream.FITTED_IMAGES])
    some = images.float_images(np.sort(random.permutation(len(images))[:most]))
    if random_flip:
        flip = random.random(len(some)) < 0.5
        some[flip] = some[flip, :, ::-1]
    # Some at a time: to equalise histograms takes a hundred times an image's memory.
    parts = (some[first : first + _SOME] for first in range(0, len(some), _SOME))
    return np.concatenate([prepared(tf.convert_to_tensor(part)).numpy() for part in parts]).reshape(len(some), -1)


def fitted(folder: Path, fit: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `fit` returns, by name; it is called only if its result is not in `folder` yet, and timed."""
    path = Path(folder) / _FILE
    if not path.is_file():
        start = time.perf_counter()
        arrays = fit()
        with files.whole_file(path) as temporary:
            kept: dict[str, Any] = {**arrays, _SECONDS: time.perf_counter() - start}
            np.savez(temporary, **kept)
    return {name: values for name, values in _read(path).items() if name != _SECONDS}


def fitted_seconds(folder: Path) -> float:
    """How long the fit in `folder` took; 0 without one."""
    path = Path(folder) / _FILE
    return float(_read(path)[_SECONDS]) if path.is_file() else 0.0


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
