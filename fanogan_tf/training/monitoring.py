"""The view of a training: TensorBoard's scalars, graph and histograms, and sheets of images, also as PNG files."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.data import pixels
from fanogan_tf.data import pixels as sheet_files
from fanogan_tf.networks import latent
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import value_of
from fanogan_tf.random_streams import SampleDraw
from fanogan_tf.training.optimization import loss_scalers

# Draws a uint8 (H, W) sheet from the networks as they are.
Sheet = Callable[[], np.ndarray]


class Monitor(keras.callbacks.Callback):
    """Writes every logged term, the learning rates and loss scales as scalars, sheets as images, and once the graph."""

    def __init__(self, folder: Path, sheets: dict[str, Sheet], graph: tf.Graph, log_every: int, sample_every: int):
        """`folder` gets `logs/` and `samples/`; `sheets` maps a sheet's name to what draws it."""
        super().__init__()
        self.folder = folder
        self.sheets = sheets
        self.graph = graph
        self.log_every = log_every
        self.sample_every = sample_every

    def on_train_begin(self, logs=None):
        self.writer = tf.summary.create_file_writer(str(self.folder / "logs"))
        with self.writer.as_default():
            tf.summary.graph(self.graph)

    def on_train_batch_end(self, batch, logs=None):
        step = value_of(self.model.step)
        if step % self.log_every == 0:
            self._write(tf.constant(step, tf.int64), tf.nest.map_structure(tf.constant, dict(logs)))
        if step % self.sample_every == 0:
            self._draw(step)

    @tf.function(autograph=False)
    def _write(self, step: tf.Tensor, logs: dict[str, tf.Tensor]) -> None:
        """All scalars in one call: one by one they cost more than an iteration of small networks on a GPU."""
        with self.writer.as_default(step):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
            for name, optimizer in self.model.optimizers.items():
                tf.summary.scalar(f"learning_rate/{name}", optimizer.learning_rate)
            for name, scaler in loss_scalers(self.model).items():
                tf.summary.scalar(f"loss_scale/{name}", scaler.dynamic_scale)

    def on_train_end(self, logs=None):
        step = value_of(self.model.step)
        if step % self.sample_every:
            self._draw(step)
        self.writer.close()

    def _draw(self, step: int) -> None:
        with self.writer.as_default(step):
            for name, draw in self.sheets.items():
                sheet = draw()
                sheet_files.save(sheet, self.folder / "samples" / f"{name}_{step:06d}.png")
                tf.summary.image(name, sheet[None, :, :, None])


_STEPS = 10


def generated(generator: keras.Model, latent_dim: int, seed: int, prior: str = "normal") -> Sheet:
    """64 generated images, of the same z every time; `prior`: see `latent.draw`."""
    z = latent.draw(prior, (64, latent_dim), key(seed, SampleDraw.SAMPLES))
    return lambda: pixels.tile(generator(z, training=False).numpy(), columns=8)


def interpolated(generator: keras.Model, latent_dim: int, seed: int, prior: str = "normal") -> Sheet:
    """Eight rows, each from one random z straight to another (f-AnoGAN, figure 5, upper half)."""
    ends = latent.draw(prior, (2, 8, latent_dim), key(seed, SampleDraw.LINE_ENDS))

    def draw() -> np.ndarray:
        images = generator(between(ends[0], ends[1]), training=False)
        return pixels.tile(images.numpy(), columns=_STEPS)

    return draw


def interpolated_encodings(encoder: keras.Model, generator: keras.Model, images: np.ndarray) -> Sheet:
    """Rows from one encoded image to another, the two real images at the ends (f-AnoGAN, figure 5, lower half).

    `images`: (2 * rows, H, W, 1).
    """
    first, last = images[: len(images) // 2], images[len(images) // 2 :]

    def draw() -> np.ndarray:
        z = between(encoder(first, training=False), encoder(last, training=False))
        steps = generator(z, training=False).numpy().reshape(len(first), _STEPS, *images.shape[1:])
        return pixels.tile(
            np.concatenate([first[:, None], steps, last[:, None]], axis=1).reshape(-1, *images.shape[1:]), _STEPS + 2
        )

    return draw


def restored(restore: Callable[[np.ndarray], tf.Tensor], images: np.ndarray) -> Sheet:
    """Three rows: images, what `restore` makes of them, and the pixel map (black: no difference)."""

    def draw() -> np.ndarray:
        outputs = restore(images).numpy()
        return pixels.tile(np.concatenate([images, outputs, np.abs(images - outputs) - 1.0]), columns=len(images))

    return draw


def between(first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Straight lines in z: two (rows, d) -> (rows * 10, d), row by row."""
    share = tf.linspace(0.0, 1.0, _STEPS)[None, :, None]
    lines = first[:, None] * (1.0 - share) + last[:, None] * share
    return tf.reshape(lines, (-1, first.shape[-1]))
