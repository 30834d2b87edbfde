"""A test set of sklearn's digits and a detector that redraws images from a few principal components of the normal class."""

import types

import numpy as np
from sklearn.datasets import load_digits

from fanogan_tf.detection.score_table import ScoreTable

NORMAL_CLASS = 1


def digit_images(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(count, 16, 16, 1) in [-1, 1], a third of them of the normal class, and their digits."""
    digits = load_digits()
    random = np.random.default_rng(seed)
    normal = random.permutation(np.flatnonzero(digits.target == NORMAL_CLASS))[: count // 3]
    others = random.permutation(np.flatnonzero(digits.target != NORMAL_CLASS))[: count - len(normal)]
    rows = random.permutation(np.concatenate([normal, others]))
    small = digits.images[rows].astype(np.float32) / 8.0 - 1.0
    return small.repeat(2, axis=1).repeat(2, axis=2)[..., None], digits.target[rows]


class FakeTest:
    """What evaluation needs of an ImageSet."""

    def __init__(self, count: int = 60, masks: bool = False, class_names: list[str] | None = None) -> None:
        self._images, digits = digit_images(count)
        self.image_shape = self._images.shape[1:]
        self.labels = (digits != NORMAL_CLASS).astype(np.int64)
        self.names = np.array([f"test/{i:04d}.png" for i in range(count)])
        self.class_names = np.array([class_names[d] if class_names else str(d) for d in digits])
        self.masks = self.groups = None
        if masks:
            self.masks = ((self._images > 0) & (self.labels[:, None, None, None] == 1)).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.names)

    def float_images(self, indices) -> np.ndarray:
        return self._images[indices]

    def inputs(self, indices, names) -> tuple[np.ndarray, ...]:
        assert tuple(names) == ("image",)
        return (self._images[indices],)

    def batches(self, batch_size: int):
        for i in range(0, len(self), batch_size):
            part = slice(i, i + batch_size)
            batch = {"image": self._images[part], "label": self.labels[part], "class_name": self.class_names[part]}
            batch["name"] = self.names[part]
            if self.masks is not None:
                batch["mask"] = self.masks[part].astype(np.float32)
            yield batch


class FakeDetector:
    """Principal components of the normal images in place of encoder and generator."""

    INPUTS = ("image",)
    RESTORES = can_generate = True

    def __init__(self, test: FakeTest, latent_dim: int = 4) -> None:
        normal = test.float_images(np.flatnonzero(test.labels == 0)).reshape(-1, np.prod(test.image_shape))
        self._shape, self.latent_dim, self._mean = test.image_shape, latent_dim, normal.mean(axis=0)
        _, spread, axes = np.linalg.svd(normal - self._mean, full_matrices=False)
        self._axes = axes[:latent_dim] * spread[:latent_dim, None] / np.sqrt(len(normal))
        scores = self.measure(test.float_images(np.flatnonzero(test.labels == 0)))["score"]
        self.calibration = types.SimpleNamespace(threshold=float(np.quantile(scores, 0.9)))

    def calibrated(self) -> types.SimpleNamespace:
        return self.calibration

    def shown(self, images: np.ndarray) -> np.ndarray:
        return images

    def generate(self, z: np.ndarray) -> np.ndarray:
        return np.clip(z @ self._axes + self._mean, -1.0, 1.0).reshape(-1, *self._shape).astype(np.float32)

    def measure(self, images: np.ndarray) -> dict[str, np.ndarray]:
        flat = images.reshape(len(images), -1) - self._mean
        latent = np.clip(flat @ np.linalg.pinv(self._axes), -2.0, 2.0)
        reconstruction = self.generate(latent)
        residual = np.abs(images - reconstruction)
        image_residual = np.mean(residual**2, axis=(1, 2, 3))
        return {
            "score": image_residual, "image_residual": image_residual, "feature_residual": np.zeros(len(images)),
            "latent_distance": np.zeros(len(images)), "reconstruction": reconstruction, "residual": residual, "latent": latent,
        }  # fmt: skip


def table_of(test: FakeTest, detector: FakeDetector) -> ScoreTable:
    """The score table that scoring `test` with `detector` would write."""
    score = detector.measure(test.float_images(np.arange(len(test))))["score"].astype(np.float64)
    return make_table(score, test.labels, test.class_names, detector.calibration.threshold, names=test.names)


def make_table(scores, labels, class_names, threshold: float, names=None) -> ScoreTable:
    """A score table of given columns; the terms of the score are left empty."""
    scores = np.asarray(scores, np.float64)
    empty = np.full(len(scores), np.nan)
    names = np.array([f"{i}" for i in range(len(scores))]) if names is None else names
    return ScoreTable(
        image=np.asarray(names), label=np.asarray(labels, np.int64), class_name=np.asarray(class_names), score=scores,
        probability=np.clip(scores, 0.0, 1.0), anomalous=scores > threshold,
        image_residual=scores, feature_residual=empty, latent_distance=empty,
    )  # fmt: skip
