"""Phase `fit` of the plain baselines, pca and ocsvm: no networks, no steps; fitted once to the training images, and kept.

The baselines that are fitted at once instead of trained step by step: what they are fitted to, and what came of it, kept.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.errors import UserError
from fanogan_tf.methods.base import check_held_out
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

_FILE = "fitted.npz"
_SECONDS = "seconds"


def flat_images(images: ImageSet, most: int, seed: int, random_flip: bool = False) -> np.ndarray:
    """All images as rows of pixels, or `most` of them at random where there are more: (n, H * W) float32 in [-1, 1].

    `random_flip`: each is mirrored left-right with probability 1/2, as in training.
    """
    random = np.random.default_rng([seed, 3])
    some = images.float_images(np.sort(random.permutation(len(images))[:most]))
    if random_flip:
        flip = random.random(len(some)) < 0.5
        some[flip] = some[flip, :, ::-1]
    return some.reshape(len(some), -1)


def fitted(folder: Path, fit: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `fit` returns, by name; it is called only if its result is not in `folder` yet, and timed."""
    path = Path(folder) / _FILE
    if not path.is_file():
        start = time.perf_counter()
        arrays = fit()
        with files.whole_file(path) as temporary:
            np.savez(temporary, **arrays, **{_SECONDS: time.perf_counter() - start})
    return {name: values for name, values in _read(path).items() if name != _SECONDS}


def fitted_seconds(folder: Path) -> float:
    """How long the fit in `folder` took; 0 without one."""
    path = Path(folder) / _FILE
    return float(_read(path)[_SECONDS]) if path.is_file() else 0.0


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


PHASES = ("fit",)


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against fitting. Images of any size will do.

    Raises:
      UserError: there are too few images to fit, or too few are held out to calibrate; or several devices are asked for.
    """
    check_held_out(splits)
    if options.strategy != "none":
        raise UserError(f"--strategy={options.strategy}: --method={options.method} is fitted by one device; leave --strategy out")
    if len(splits.train) < 2:
        raise UserError(f"--method={options.method}: there is one training image, it needs at least two; add normal images")


def fit_once(
    run: RunDirectory, options: Options, splits: Splits, fit: Callable[[np.ndarray, int, int], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What `fit(rows, latent_dim, seed)` returns of the training images, or has returned in this run before."""

    def of_the_images() -> dict[str, np.ndarray]:
        rows = flat_images(splits.train, options.fit_images, options.seed, options.random_flip)
        return fit(rows, options.latent_dim, options.seed)

    return fitted(run.phase("fit"), of_the_images)


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long the fit took, by the phase's name."""
    return {"fit": fitted_seconds(run.phase("fit"))}
