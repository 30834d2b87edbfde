"""What a trained critic sees in normal images, and how far an image lies from it: the score terms beside A_R and A_D.

The critic's features f(x), those that A_D compares, are described by the principal components of training normals and, in them,
by single normals (as Lee et al. 2018 and Rippel et al. 2021 do with classifiers' features); its last map but one by a Gaussian at
each place (PaDiM, Defard et al. 2021). No label and no anomalous image has a say. All is arrays of bounded size, which lie in the
exported graph.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fanogan_tf.training.losses import mean_square

# On the development sets of retinas and lungs the distances within and outside 256 components told more than those of 64, on
# digits and garments as much. At most so many, and a quarter of the images: the rest shows what is normal outside them.
COMPONENTS = 256
LEAST_IMAGES = 4  # For each component.
NEIGHBOURS = 5
# Of the channels at each place; more are first reduced to so many by a random rotation.
CHANNELS = 64
# Share of each place's covariance that is replaced by its mean variance in all directions: few normals leave most of it unknown.
SHRINKAGE = 0.05
_LEAST_VARIANCE = 1e-5  # Of the first component's.


class Hidden(NamedTuple):
    """What the critic makes of images, float32.

    values: D(x), (B,). features: f(x), what A_D compares, (B, n). maps: of its blocks, (B, h, w, c), the largest first.
    """

    values: tf.Tensor
    features: tf.Tensor
    maps: Sequence[tf.Tensor]

    def halves(self) -> tuple["Hidden", "Hidden"]:
        """Parts what was computed of two batches in one."""
        parts = [tf.split(one, 2) for one in (self.values, self.features, *self.maps)]
        first, second = (Hidden(parts[0][i], parts[1][i], [part[i] for part in parts[2:]]) for i in range(2))
        return first, second


class Seen(NamedTuple):
    """What the critic makes of images, and of the images restored from them, where any are."""

    image: Hidden
    restored: Hidden | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Normality:
    """The description of normal images.

    Attributes:
      mean (n,), components (k, n), deviations (k,): of f(x), rectified, over training normals; k at most 256.
      outside (): the mean variance in a direction outside the components.
      normals (m, k): single normals in the whitened components.
      rotation (c, d), place_mean (h, w, d), place_whitening (h, w, d, d): of the map of places.
      critic_middle (): the median of D(x).
    """

    mean: np.ndarray
    components: np.ndarray
    deviations: np.ndarray
    outside: np.ndarray
    normals: np.ndarray
    rotation: np.ndarray
    place_mean: np.ndarray
    place_whitening: np.ndarray
    critic_middle: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def few(self) -> str:
        """What is less than it could be because normals are few, in one sentence; "" where they are enough."""
        count, most = len(self.components), min(COMPONENTS, len(self.mean) - 1)
        if count >= most:
            return ""
        return (
            f"few training images: their looks are described by {count} of the {len(self.mean):,} directions of the critic's "
            f"features, all others by one shared variance; with {most * LEAST_IMAGES:,} or more images it would be {most}"
        )

    def terms(self, hidden: Hidden) -> dict[str, tf.Tensor]:
        """How far images lie from normal ones; each (B,), at least 0.

        Returns:
          feature_density: the mean square of f(x) in the whitened components, its Mahalanobis distance within them.
          feature_outside: the mean square of what lies outside them, in units of the normals' there.
          nearest_normals: the mean distance to the five nearest training normals in the whitened components.
          place_density: the mean Mahalanobis distance at each place of the critic's last map but one.
          critic_distance: |D(x) - median|: the critic may err both ways.
        """
        centred = tf.nn.relu(hidden.features) - self.mean
        inside = tf.matmul(centred, self.components, transpose_b=True)
        directions = max(self.mean.shape[0] - self.components.shape[0], 1)
        # Not the difference of two lengths: they are large, nearly equal, and every runtime sums them in another order.
        outside = tf.reduce_sum(tf.square(centred - tf.matmul(inside, self.components)), axis=1)
        whitened = inside / self.deviations
        return {
            "feature_density": mean_square(whitened),
            "feature_outside": outside / (directions * self.outside),
            "nearest_normals": self._nearest(whitened),
            "place_density": tf.reduce_mean(self.places(hidden), axis=[1, 2]),
            "critic_distance": tf.abs(hidden.values - self.critic_middle),
        }

    def places(self, hidden: Hidden) -> tf.Tensor:
        """The Mahalanobis distance at each place, divided by the root of the number of directions: (B, h, w)."""
        centred = tf.tensordot(_place_map(hidden), self.rotation, 1) - self.place_mean
        whitened = tf.einsum("hwcd,bhwd->bhwc", self.place_whitening, centred)
        return tf.sqrt(tf.reduce_mean(tf.square(whitened), axis=-1) + 1e-12)

    def _nearest(self, whitened: tf.Tensor) -> tf.Tensor:
        products = tf.matmul(whitened, self.normals, transpose_b=True)
        squares = np.square(self.normals).sum(axis=1)
        # The negative, of which top_k finds the largest.
        distances = 2.0 * products - squares - tf.reduce_sum(tf.square(whitened), axis=1, keepdims=True)
        nearest = tf.math.top_k(distances, min(NEIGHBOURS, len(self.normals)), sorted=False).values
        return tf.reduce_mean(tf.sqrt(tf.nn.relu(-nearest) + 1e-12), axis=1)


def _place_map(hidden: Hidden) -> tf.Tensor:
    return hidden.maps[max(len(hidden.maps) - 2, 0)]


def fit(look: Callable[[np.ndarray], Hidden], batches: Iterable[np.ndarray], most_normals: int, seed: int) -> Normality:
    """Describes normal images.

    Args:
      look: from images (B, H, W, 1) in [-1, 1] to what the critic makes of them.
      batches: of training normals, at least two images in all; f(x) of all of them is held in memory.
      most_normals: how many single ones to keep.
      seed: of the rotation, the solver and the choice of the single normals.
    """
    from sklearn.decomposition import PCA  # Not to score with.

    values, rows = [], []
    places: _Places | None = None
    for images in batches:
        hidden = look(images)
        values.append(np.asarray(hidden.values))
        rows.append(np.maximum(np.asarray(hidden.features), 0.0))
        of_places = np.asarray(_place_map(hidden))
        places = places or _Places(of_places.shape[1:], seed)
        places.add(of_places)
    if places is None:
        raise ValueError("there are no images")
    flat = np.concatenate(rows)
    count = max(1, min(COMPONENTS, flat.shape[1] - 1, len(flat) // LEAST_IMAGES))
    pca = PCA(count, svd_solver="randomized", random_state=seed).fit(flat)
    deviations = np.sqrt(np.maximum(pca.explained_variance_, _LEAST_VARIANCE * pca.explained_variance_[0]) + 1e-12)
    centred = flat - pca.mean_
    inside = centred @ pca.components_.T
    left = (np.square(centred).sum() - np.square(inside).sum()) / (len(flat) * max(flat.shape[1] - count, 1))
    some = np.random.default_rng(seed).permutation(len(flat))[:most_normals]
    rotation, place_mean, whitening = places.gaussians()
    return Normality(
        mean=pca.mean_.astype(np.float32),
        components=pca.components_.astype(np.float32),
        deviations=deviations.astype(np.float32),
        outside=np.asarray(max(left, 1e-6 * float(deviations[0]) ** 2), np.float32),
        normals=(inside[np.sort(some)] / deviations).astype(np.float32),
        rotation=rotation,
        place_mean=place_mean,
        place_whitening=whitening,
        critic_middle=np.asarray(np.median(np.concatenate(values)), np.float32),
    )


class _Places:
    """Means and covariances at each place, gathered batch by batch."""

    def __init__(self, shape: tuple[int, int, int], seed: int):
        height, width, channels = shape
        kept = min(channels, CHANNELS)
        random = np.random.default_rng(seed).standard_normal((channels, kept))
        self.rotation = (np.eye(channels) if kept == channels else np.linalg.qr(random)[0]).astype(np.float32)
        self._count = 0
        self._sum = np.zeros((height * width, kept))
        self._products = np.zeros((height * width, kept, kept))

    def add(self, maps: np.ndarray) -> None:
        rows = (maps @ self.rotation).reshape(len(maps), -1, self.rotation.shape[1]).transpose(1, 0, 2).astype(np.float64)
        self._count += len(maps)
        self._sum += rows.sum(axis=1)
        self._products += rows.transpose(0, 2, 1) @ rows
        self._shape = maps.shape[1:3]

    def gaussians(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotation, means (h, w, d) and whitenings (h, w, d, d), whose products with deviations have covariance 1."""
        mean = self._sum / self._count
        covariance = self._products / self._count - mean[:, :, None] * mean[:, None, :]
        size = mean.shape[1]
        spread = np.trace(covariance, axis1=1, axis2=2)[:, None, None] / size
        # A place that never changes, such as a corner that is always black, takes a little of the others' spread.
        spread = np.maximum(spread, 1e-3 * spread.mean() + 1e-9)
        shrunk = (1.0 - SHRINKAGE) * covariance + SHRINKAGE * spread * np.eye(size)
        whitening = np.linalg.inv(np.linalg.cholesky(shrunk))
        shape = (*self._shape, size)
        return self.rotation, mean.reshape(shape).astype(np.float32), whitening.reshape(*shape, size).astype(np.float32)
