"""From stored integers to the networks' range [-1, 1]."""

import numpy as np
import tensorflow as tf

_HALF_RANGE = {"uint8": 127.5, "uint16": 32767.5}


def to_signed(images: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Maps uint8 v to v / 127.5 - 1 and uint16 v to v / 32767.5 - 1.

    Args:
      images: any shape, uint8 or uint16; an array or a tensor.

    Returns:
      float32 in [-1, 1], same shape, same kind (array or tensor).

    Raises:
      KeyError: any other dtype.
    """
    if tf.is_tensor(images):
        return tf.cast(images, tf.float32) / _HALF_RANGE[images.dtype.name] - 1.0
    return np.asarray(images).astype(np.float32) / np.float32(_HALF_RANGE[images.dtype.name]) - np.float32(1)
