"""GANomaly's training (Akcay et al. 2018): encoder, decoder and second encoder against a discriminator."""

import dataclasses

import keras
import tensorflow as tf

from fanogan_tf.networks import replicas
from fanogan_tf.networks.ganomaly import first_value
from fanogan_tf.training import ganomaly_losses as losses
from fanogan_tf.training.optimization import descend, loss_scaled
from fanogan_tf.training.randomness import key

# A discriminator whose loss is below this has nothing to teach any more: it begins anew, as in the authors' code.
LEAST_DISCRIMINATOR_LOSS = 1e-5


class Ganomaly(keras.Model):
    """One train step = one update of the three restoring networks and one of the discriminator.

    Both from the networks as they were before it. `fit` on batches (B, H, W, 1) in [-1, 1].
    """

    def __init__(
        self,
        first_encoder: keras.Model,
        decoder: keras.Model,
        second_encoder: keras.Model,
        discriminator: keras.Model,
        *,
        weights: losses.Weights,
        seed: int,
    ):
        super().__init__(name="ganomaly")
        self.first_encoder = first_encoder
        self.decoder = decoder
        self.second_encoder = second_encoder
        self.discriminator = discriminator
        restoring = {"first_encoder": first_encoder, "decoder": decoder, "second_encoder": second_encoder}
        self.networks = restoring | {"discriminator": discriminator}
        self.restoring_variables = [variable for network in restoring.values() for variable in network.trainable_variables]
        self.term_weights = dataclasses.asdict(weights)
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @property
    def encoder(self) -> keras.Model:
        """The one that restores."""
        return self.first_encoder

    @property
    def generator(self) -> keras.Model:
        """What restores from the encoder's z."""
        return self.decoder

    def compile(self, restoring_optimizer, discriminator_optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {
            "restoring_optimizer": loss_scaled(restoring_optimizer, self.first_encoder),
            "discriminator_optimizer": loss_scaled(discriminator_optimizer, self.discriminator),
        }
        self.optimizers["restoring_optimizer"].build(self.restoring_variables)
        self.optimizers["discriminator_optimizer"].build(self.discriminator.trainable_variables)

    def call(self, images):
        """The encodings (z, z') of images, both (B, latent_dim), as they are scored."""
        latent = self.first_encoder(images, training=False)
        return latent, self.second_encoder(self.decoder(latent, training=False), training=False)

    def train_step(self, images):
        with tf.GradientTape() as restoring_tape, tf.GradientTape() as discriminator_tape:
            latent = self.first_encoder(images, training=True)
            restored = self.decoder(latent, training=True)
            # Each kind by itself: batch normalisation over both would tell the discriminator which is which.
            real_logits, features = self.discriminator(images, training=True)
            restored_logits, restored_features = self.discriminator(restored, training=True)
            terms = {
                "adversarial": losses.adversarial(features, restored_features),
                "contextual": losses.contextual(images, restored),
                "encoding": losses.encoding(latent, self.second_encoder(restored, training=True)),
            }
            loss_g = tf.add_n([self.term_weights[name] * term for name, term in terms.items()])
            loss_d = losses.discriminator(real_logits, restored_logits)
        norm_g = descend(self.optimizers["restoring_optimizer"], restoring_tape, loss_g, self.restoring_variables)
        norm_d = descend(
            self.optimizers["discriminator_optimizer"], discriminator_tape, loss_d, self.discriminator.trainable_variables
        )
        learnt = replicas.mean(loss_d) < LEAST_DISCRIMINATOR_LOSS
        anew = replicas.cond(learnt, self._begin_anew, lambda: tf.constant(0.0))
        self.step.assign_add(1)
        return {
            "loss_g": loss_g,
            **terms,
            "loss_d": loss_d,
            "discriminator_real": tf.reduce_mean(tf.sigmoid(real_logits)),
            "discriminator_restored": tf.reduce_mean(tf.sigmoid(restored_logits)),
            "discriminator_anew": anew,
            "gradient_norm_g": norm_g,
            "gradient_norm_d": norm_d,
        }

    def _begin_anew(self) -> tf.Tensor:
        """Gives the discriminator first weights, drawn from (seed, step), and an optimizer that remembers nothing; returns 1.

        The authors' code keeps the optimizer's moments. But those of Adam are of vanished gradients: the new weights' first steps
        would be some sixteen times the step size, away from what was drawn.
        """
        for i, variable in enumerate(self.discriminator.variables):
            variable.assign(first_value(variable, key(self.seed, self.step, i)))
        optimizer = self.optimizers["discriminator_optimizer"]
        # With loss scaling, the optimizer inside; the scale is one of the precision and stays.
        for variable in getattr(optimizer, "inner_optimizer", optimizer).variables:
            if variable.name != "learning_rate":
                variable.assign(tf.zeros(variable.shape, variable.dtype))
        return tf.constant(1.0)
