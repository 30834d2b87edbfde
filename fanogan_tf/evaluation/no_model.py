"""Scores that need no model: what a method must beat to be worth its training.

All are fixed beforehand: fitted to training normals, each with one setting for all data, and no label has a say in their sign.
"""

from collections.abc import Callable

import numpy as np

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.pixels import small_copies
from fanogan_tf.random_streams import Stream

SIDE = 32
COMPONENTS = 30
_MOST_IMAGES = 10_000
_CHUNK = 2048


def scores(train: ImageSet, test: ImageSet, seed: int) -> dict[str, np.ndarray]:
    """Scores test images without a model.

    Args:
      train: at most 10,000 of them are compared with.
      test: any number.
      seed: of the draw where there are more training images.

    Returns:
      name -> (N,) float32, higher is more anomalous: the squared distance of a 32x32 copy from the nearest training image's, and
      from the span of 30 principal components of them, each also with every image standardised; and how far the mean grey value,
      and the logarithm of the mean squared Laplacian (sharpness), lie from the training images' median.
    """
    some = train.take(np.sort(np.random.default_rng([seed, Stream.NO_MODEL]).permutation(len(train))[:_MOST_IMAGES]))
    rows, others = small_copies(some.images, SIDE), small_copies(test.images, SIDE)
    found = {}
    for name, form in (("", lambda x: x), (", each image standardised", _standardised)):
        of_train, of_test = form(rows), form(others)
        found[f"nearest training image{name}"] = _nearest(of_train, of_test)
        found[f"PCA, {COMPONENTS} components{name}"] = _outside_components(of_train, of_test, seed)
    for name, figure in (("grey mean", _grey_mean), ("sharpness", _sharpness)):
        middle = np.median(figure(some))
        found[f"{name}, distance from the normals' median"] = np.abs(figure(test) - middle)
    return {name: values.astype(np.float32) for name, values in found.items()}


def _standardised(rows: np.ndarray) -> np.ndarray:
    return np.asarray((rows - rows.mean(axis=1, keepdims=True)) / (rows.std(axis=1, keepdims=True) + 1e-3))


def _nearest(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    found = np.empty(len(others), np.float32)
    squares = np.square(rows).sum(axis=1)
    for first in range(0, len(others), _CHUNK):
        part = others[first : first + _CHUNK]
        nearest = (squares - 2.0 * part @ rows.T).argmin(axis=1)
        # Of the nearest one the difference itself: one of large sums would lose a small distance.
        found[first : first + _CHUNK] = np.square(part - rows[nearest]).sum(axis=1)
    return np.asarray(found / rows.shape[1])


def _outside_components(rows: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA  # Not to score with.

    pca = PCA(min(COMPONENTS, *rows.shape), svd_solver="randomized", random_state=seed).fit(rows)
    centred = others - pca.mean_
    outside = np.square(centred).sum(axis=1) - np.square(centred @ pca.components_.T).sum(axis=1)
    return np.asarray(outside / rows.shape[1])


def _grey_mean(images: ImageSet) -> np.ndarray:
    return _by_batch(images, lambda batch: batch.mean(axis=(1, 2)))


def _sharpness(images: ImageSet) -> np.ndarray:
    def laplacian(batch: np.ndarray) -> np.ndarray:
        around = batch[:, :-2, 1:-1] + batch[:, 2:, 1:-1] + batch[:, 1:-1, :-2] + batch[:, 1:-1, 2:]
        return np.asarray(np.log(np.square(4.0 * batch[:, 1:-1, 1:-1] - around).mean(axis=(1, 2)) + 1e-6))

    return _by_batch(images, laplacian)


def _by_batch(images: ImageSet, figure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`figure` of (b, H, W) in [-1, 1], batch by batch: (N,)."""
    return np.concatenate([figure(batch["image"][..., 0]) for batch in images.batches(_CHUNK // 8)])
