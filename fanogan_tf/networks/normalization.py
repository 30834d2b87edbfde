"""The two normalisation layers of the networks."""

import tensorflow as tf
from keras import layers

from fanogan_tf import keras_line
from fanogan_tf.distributed import replicas


class BatchNormalization(layers.BatchNormalization):
    """Normalisation of each channel over the batch, in generator and encoder: (B, H, W, C) -> (B, H, W, C).

    Computes the same function as Keras' layer, but by TensorFlow's fused kernel, whose sums are float32 in any precision. In
    training on several devices, the batch is the one that they share.
    """

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3):
        super().__init__(momentum=momentum, epsilon=epsilon)

    def call(self, x, training=False, mask=None):
        if not (training and self.trainable):
            return self._normalized(x, self.moving_mean, self.moving_variance, is_training=False).y
        if replicas.count() > 1:
            return self._normalized_with_replicas(x)
        nothing = tf.constant([], tf.float32)
        batch = self._normalized(x, nothing, nothing, is_training=True)
        count = tf.cast(tf.size(x) / x.shape[-1], tf.float32)
        self._move(self.moving_mean, batch.batch_mean)
        # The kernel returns the unbiased variance, which divides by count - 1.
        self._move(self.moving_variance, batch.batch_variance * (count - 1.0) / count)
        return batch.y

    def _normalized(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, is_training: bool):
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma,
            offset=self.beta,
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=is_training,
        )

    def _normalized_with_replicas(self, x: tf.Tensor) -> tf.Tensor:
        full = tf.cast(x, tf.float32)
        mean, square = replicas.mean([tf.reduce_mean(full, axis=[0, 1, 2]), tf.reduce_mean(tf.square(full), axis=[0, 1, 2])])
        # E[x^2] - E[x]^2 can come out a little below 0 for a channel without any structure.
        variance = tf.nn.relu(square - tf.square(mean))
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        scale = tf.math.rsqrt(variance + self.epsilon) * self.gamma
        shift = self.beta - mean * scale
        return x * tf.cast(scale, x.dtype) + tf.cast(shift, x.dtype)

    def _move(self, average: keras_line.Variable, value: tf.Tensor) -> None:
        average.assign(average * self.momentum + value * (1.0 - self.momentum))

    def inference_scale_and_shift(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the (scale, shift) per channel that inference applies, x * scale + shift: both (C,) float32."""
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        return scale, self.beta - self.moving_mean * scale


class LayerNormalization(layers.Layer):
    """Layer normalisation as the authors use it: one mean and deviation per image, one gain and offset per channel.

    (B, H, W, C) -> (B, H, W, C). Computes the same function as keras.layers.GroupNormalization(groups=1), in fewer operations;
    see `layer_normalized`. Its second derivatives, which a gradient penalty needs, are exact. Keras' layer uses tf.nn.moments,
    which treats the mean as a constant inside the variance; that is right for first derivatives only.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones", **keras_line.NOT_CAST)
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros", **keras_line.NOT_CAST)
        self.built = True

    def call(self, x, training=False):
        return layer_normalized(x, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta), self.epsilon)


def layer_normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Computes gamma r (x - m) + beta, with each image's mean m and r = 1 / sqrt(variance + epsilon).

    x: (B, H, W, C), as the result. gamma, beta: (C,) float32. Statistics are float32, whatever the type of x.

    First and second derivatives are written out; derived operation by operation, the graph of a critic update was half as large
    again. What depends on images and channels alone is computed first.
    """

    @tf.custom_gradient
    def forward(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
        full = tf.cast(x, tf.float32)
        m = tf.reduce_mean(full, axis=[1, 2, 3], keepdims=True)
        # E[x^2] - E[x]^2 can come out a little below 0 for an image without any structure.
        variance = tf.nn.relu(tf.reduce_mean(tf.square(full), axis=[1, 2, 3], keepdims=True) - tf.square(m))
        r = tf.math.rsqrt(variance + epsilon)
        scale = r * gamma

        def gradient(g: tf.Tensor):
            full_g = tf.cast(g, tf.float32)
            # Of g and of g (x - m) over the pixels: (B, 1, 1, C).
            sums = tf.reduce_sum(full_g, axis=[1, 2], keepdims=True)
            moments = tf.reduce_sum(full_g * full, axis=[1, 2], keepdims=True) - m * sums
            by_x = _by_x(x, gamma, g, m, r, sums, moments)
            return by_x, _per_channel(r * moments), _per_channel(sums)

        return _scaled(x, scale, beta - m * scale), gradient

    return forward(x, gamma, beta)


def _by_x(x, gamma, g, m, r, sums, moments):
    """The derivative by x, times g: J(gamma g) with J(h) = r (h - E[h] - r^2 E[h (x - m)] (x - m)); for the rest see above."""

    # The other four are functions of these three, and the derivatives by these include them.
    @tf.custom_gradient
    def backward(x: tf.Tensor, gamma: tf.Tensor, g: tf.Tensor):
        values = x.shape[1] * x.shape[2] * x.shape[3]
        mean = tf.reduce_sum(gamma * sums, axis=3, keepdims=True) / values
        slope = tf.square(r) * tf.reduce_sum(gamma * moments, axis=3, keepdims=True) / values
        result = _scaled(g, r * gamma, r * (m * slope - mean)) - _times(x, r * slope)

        def gradient(w: tf.Tensor):
            # J is symmetric. The derivative of <w, J(h)> by x follows from d(r (x - m)) = J(dx).
            full, full_w = tf.cast(x, tf.float32), tf.cast(w, tf.float32)
            w_mean = tf.reduce_mean(full_w, axis=[1, 2, 3], keepdims=True)
            w_moment = tf.reduce_mean(full_w * full, axis=[1, 2, 3], keepdims=True) - m * w_mean
            w_slope = tf.square(r) * w_moment
            turned = _scaled(w, r, r * (m * w_slope - w_mean)) - _times(x, r * w_slope)
            both = tf.reduce_mean(tf.cast(w * g, tf.float32) * gamma, axis=[1, 2, 3], keepdims=True)
            bend = r * tf.square(r) * (both - w_mean * mean - w_moment * slope)
            by_x = _scaled(x, -bend, m * bend) - _times(turned, slope) - _times(result, w_slope)
            return by_x, _per_channel(tf.cast(g * turned, tf.float32)), _times(turned, gamma)

        return result, gradient

    return backward(x, gamma, g)


def _per_channel(values: tf.Tensor) -> tf.Tensor:
    """(B, H, W, C) -> (C,)."""
    return tf.reduce_sum(values, axis=[0, 1, 2])


def _times(x: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    return x * tf.cast(scale, x.dtype)


def _scaled(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    return x * tf.cast(scale, x.dtype) + tf.cast(shift, x.dtype)


def normalization(kind: str) -> layers.Layer:
    """Makes the layer for `kind`, `batch` or `layer`."""
    return BatchNormalization() if kind == "batch" else LayerNormalization()
