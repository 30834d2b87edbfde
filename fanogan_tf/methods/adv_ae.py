"""AdvAE (Schlegl et al. 2019, section 3.1): an autoencoder whose restored images a critic must not tell from real ones.

It is also AnoGAN's "aCAE" (Schlegl et al. 2017, section 3), which "replaces the generator by an encoder-decoder pipeline". Both
papers leave open what the losses are, how they are weighted and how often the critic is updated. Here critic, losses, number of
turns and optimizers are those of f-AnoGAN's phase 1, so that what differs from f-AnoGAN is the joint training alone. The score
is f-AnoGAN's.
"""

import keras
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.methods.ae import AutoencoderTraining
from fanogan_tf.methods.base import CRITIC, NETWORKS, SCORE, UPDATES, adam, network_name
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.methods.joint import JointMethod
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.random_streams import GanDraw
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import losses
from fanogan_tf.training.calls import compiles
from fanogan_tf.training.gan import Penalty, turns_of_critic, update_critic
from fanogan_tf.training.optimization import descend, loss_scaled


class AdversarialAutoencoderTraining(AutoencoderTraining):
    """One train step = `n_critic` critic updates, then one update of encoder and generator together, each on fresh images.

    `fit` on batches of (n_critic + 1) * batch images ((n_critic + 1) * B, H, W, 1) in [-1, 1].
    The autoencoder's loss is mean 1/n ||x - G(E(x))||^2 - adversarial_weight * mean D(G(E(x))).
    """

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        critic: keras.Model,
        *,
        n_critic: int,
        penalty: Penalty,
        adversarial_weight: float,
        seed: int,
    ):
        super().__init__(encoder, generator, seed=seed)
        self.critic = critic
        self.networks = {"encoder": encoder, "generator": generator, "critic": critic}
        self.n_critic = n_critic
        self.penalty = penalty
        self.adversarial_weight = adversarial_weight

    def compile(self, autoencoder_optimizer, critic_optimizer, **kwargs):
        super().compile(autoencoder_optimizer, **kwargs)
        self.optimizers["critic_optimizer"] = loss_scaled(critic_optimizer, self.critic)
        self.optimizers["critic_optimizer"].build(self.critic.trainable_variables)

    def _update_critic(self, real, turn):
        fake = self.restore(real, turn, 0)
        seed = key(self.seed, self.step, turn, GanDraw.MIXTURE)
        number = tf.cast(self.step, tf.int32) * self.n_critic + turn
        return update_critic(self.critic, self.optimizers["critic_optimizer"], real, fake, seed, number, self.penalty)

    def _update_autoencoder(self, images):
        with tf.GradientTape() as tape:
            restored = self.restore(images, self.n_critic, 0)
            residual = tf.reduce_mean(losses.mean_square(images - restored))
            adversarial = losses.generator_loss(self.critic(restored)[0])
            loss = residual + self.adversarial_weight * adversarial
        norm = descend(self.optimizers["autoencoder_optimizer"], tape, loss, self.trained)
        return {"loss_ae": loss, "residual": residual, "adversarial": adversarial, "gradient_norm_ae": norm}

    def train_step(self, images):
        parts = tf.reshape(images, (self.n_critic + 1, -1, *images.shape[1:]))
        logs = turns_of_critic(self.n_critic, lambda turn: self._update_critic(parts[turn], turn))
        logs |= self._update_autoencoder(parts[self.n_critic])
        self.step.assign_add(1)
        return logs


class AdversarialAutoencoder(JointMethod):
    """The adversarial autoencoder."""

    PHASES = ("autoencoder",)
    DETECTORS = (EncoderDetector,)
    OPTIONS = (*NETWORKS, "bound", *UPDATES, *CRITIC, "adversarial_weight", "kappa", *SCORE)

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `Method.check`.

        Raises:
          UserError: what `JointMethod.check` raises; or other networks are asked for.
        """
        super().check(run, options, splits, phases, overwrite)
        network = network_name(options)
        if network != "resnet":
            raise UserError(f"--network={network}: adv_ae's critic is a Wasserstein one; take --network=resnet")

    def training(self, spec: NetworkSpec, options: Options) -> AdversarialAutoencoderTraining:
        """See `JointMethod.training`."""
        keras.utils.set_random_seed(options.seed)
        training = AdversarialAutoencoderTraining(
            spec.encoder(),
            spec.generator(),
            spec.critic(),
            n_critic=options.n_critic,
            penalty=Penalty(options.gradient_penalty, options.penalty_every),
            adversarial_weight=options.adversarial_weight,
            seed=options.seed,
        )
        training.compile(*(adam(options, 0.0, 0.9) for _ in range(2)), jit_compile=compiles(options.jit_compile))
        return training

    def detector(self, training: AdversarialAutoencoderTraining, spec: NetworkSpec, options: Options) -> Detector:
        """See `JointMethod.detector`."""
        return EncoderDetector(spec, **training.networks, kappa=options.kappa)

    def turns(self, options: Options) -> int:
        """See `JointMethod.turns`: the critic's, and the autoencoder's own."""
        return options.n_critic + 1
