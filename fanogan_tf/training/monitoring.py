"""What TensorBoard shows, and the same sheets as PNG files."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import sheets as sheet_files
from fanogan_tf.networks.variables import value_of
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
            with self.writer.as_default(step):
                for name, value in logs.items():
                    tf.summary.scalar(name, value)
                for name, optimizer in self.model.optimizers.items():
                    tf.summary.scalar(f"learning_rate/{name}", optimizer.learning_rate)
                for name, scaler in loss_scalers(self.model).items():
                    tf.summary.scalar(f"loss_scale/{name}", scaler.dynamic_scale)
        if step % self.sample_every == 0:
            self._draw(step)

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
