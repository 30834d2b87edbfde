"""A U-Net of residual blocks (Ronneberger et al. 2015; He et al. 2016): maps of the image's size from the image.

It finds organs in films (`detection/regions.py`), and can restore images, as in the chest X-ray thesis's appendix A.2. Inputs and
outputs are float32; under a mixed precision policy the arithmetic inside is of 16 bits.
"""

import keras
import tensorflow as tf
from keras import layers

from fanogan_tf.errors import UserError
from fanogan_tf.networks.normalization import BatchNormalization

_MOST = 8  # Times dim, the widest map.


def deepest_shape(image_shape: tuple[int, int, int], dim: int, depth: int = 4) -> tuple[int, int, int]:
    """(H, W, C) of the deepest features of a U-Net."""
    height, width, _ = image_shape
    return height // 2**depth, width // 2**depth, dim * min(2**depth, _MOST)


class ResidualBlock(layers.Layer):
    """Two 3x3 convolutions, each normalised, added to what came in: (B, H, W, C) -> (B, H, W, filters)."""

    def __init__(self, filters: int):
        super().__init__()
        self.convs = [layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal") for _ in range(2)]
        self.norms = [BatchNormalization(momentum=0.9) for _ in range(2)]
        self.shortcut = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="he_normal")

    def call(self, x, training=False):
        first = tf.nn.relu(self.norms[0](self.convs[0](x), training=training))
        return tf.nn.relu(self.norms[1](self.convs[1](first), training=training) + self.shortcut(x))


class UNet(keras.Model):
    """Images (B, H, W, 1) -> (maps (B, H, W, 1), unbounded, and the deepest features (B, H / 2^depth, W / 2^depth, C)).

    dim, 2 dim, 4 dim, ..., at most 8 dim filters. On the way up, each size joins the maps of that size from the way down: so fine
    detail need not pass the bottom, and may be copied from the image.

    Raises:
      UserError: sides that cannot be halved `depth` times.
    """

    def __init__(self, image_shape: tuple[int, int, int], dim: int, depth: int = 4, name: str = "unet"):
        super().__init__(name=name)
        height, width, channels = image_shape
        if height % 2**depth or width % 2**depth:
            raise UserError(
                f"--image_size={height}x{width}: a U-Net halves the sides {depth} times; take multiples of {2**depth}"
            )
        filters = [dim * min(2**level, _MOST) for level in range(depth + 1)]
        self.down = [ResidualBlock(count) for count in filters[:-1]]
        self.bottom = ResidualBlock(filters[-1])
        self.up = [ResidualBlock(count) for count in reversed(filters[:-1])]
        self.halve = layers.MaxPooling2D(2)
        self.double = layers.UpSampling2D(2)
        self.last = layers.Conv2D(channels, 1)

    def call(self, images, training=False):
        x, passed = images, []
        for block in self.down:
            x = block(x, training=training)
            passed.append(x)
            x = self.halve(x)
        deepest = x = self.bottom(x, training=training)
        for block in self.up:
            x = block(tf.concat([self.double(x), passed.pop()], axis=-1), training=training)
        return tf.cast(self.last(x), tf.float32), tf.cast(deepest, tf.float32)
