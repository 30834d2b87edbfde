"""Phase `fit` of the plain baselines, pca and ocsvm: no networks, no steps; fitted once to the training images, and kept."""

from collections.abc import Callable

import numpy as np

from fanogan_tf.data.splits import Splits
from fanogan_tf.errors import UserError
from fanogan_tf.methods.recipe import check_held_out
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.fitted import fitted, fitted_seconds, flat_images

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
