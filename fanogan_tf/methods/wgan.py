"""Phase `gan` of every method that stands on a WGAN-GP: f-AnoGAN, the iterative mapping, the critic's own output."""

import keras
import tensorflow as tf

from fanogan_tf.data.splits import Splits
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import samples
from fanogan_tf.training.phase import run_phase
from fanogan_tf.training.wgan_gp import WganGp


def gan_training(spec: NetworkSpec, options: Options) -> WganGp:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    gan = WganGp(
        spec.generator(),
        spec.critic(),
        latent_dim=options.latent_dim,
        n_critic=options.n_critic,
        penalty_weight=options.gradient_penalty,
        seed=options.seed,
    )
    gan.compile(_adam(options), _adam(options), jit_compile=options.jit_compile)
    return gan


def train_gan(gan: WganGp, run: RunDirectory, options: Options, splits: Splits) -> None:
    """Trains `gan` in `run.gan`, from where it stopped."""
    z = tf.TensorSpec((None, options.latent_dim), tf.float32, name="z")
    run_phase(
        gan,
        lambda start: splits.train.training_batches(
            options.n_critic * options.batch_size, 2 * options.seed, start, options.random_flip
        ),
        name="GAN",
        folder=run.gan,
        iterations=options.iterations,
        sheets={
            "samples": samples.generated(gan.generator, options.latent_dim, options.seed),
            "interpolation": samples.interpolated(gan.generator, options.latent_dim, options.seed),
        },
        graph=tf.function(gan.call).get_concrete_function(z).graph,
        checkpoint_every=options.checkpoint_every,
        log_every=options.log_every,
        sample_every=options.sample_every,
    )


def _adam(options: Options) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(options.learning_rate, beta_1=0.0, beta_2=0.9)
