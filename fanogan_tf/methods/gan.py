"""Phase `gan` of every method that stands on a GAN: a WGAN-GP of ResNets or, with the networks of a DCGAN, its own training."""

import keras
import tensorflow as tf

from fanogan_tf.data.splits import Splits
from fanogan_tf.methods.gan_from import gan_run
from fanogan_tf.methods.recipe import adam
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import samples
from fanogan_tf.training.checkpointing import Checkpoints
from fanogan_tf.training.dcgan import Dcgan
from fanogan_tf.training.phase import run_phase
from fanogan_tf.training.wgan_gp import WganGp


def gan_training(spec: NetworkSpec, options: Options) -> WganGp | Dcgan:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    if spec.network == "dcgan":
        gan = Dcgan(spec.generator(), spec.critic(), latent_dim=options.latent_dim, seed=options.seed)
        gan.compile(*(adam(options, 0.5) for _ in range(2)), jit_compile=options.jit_compile)
        return gan
    gan = WganGp(
        spec.generator(),
        spec.critic(),
        latent_dim=options.latent_dim,
        n_critic=options.n_critic,
        penalty_weight=options.gradient_penalty,
        seed=options.seed,
    )
    gan.compile(*(adam(options, 0.0, 0.9) for _ in range(2)), jit_compile=options.jit_compile)
    return gan


def train_gan(gan: WganGp | Dcgan, run: RunDirectory, options: Options, splits: Splits) -> None:
    """Trains `gan` in `run.gan`, from where it stopped; nothing with `--gan_from`."""
    if options.gan_from:
        print(f"GAN: that of {options.gan_from}, at iteration {options.iterations}", flush=True)
        return
    z = tf.TensorSpec((None, options.latent_dim), tf.float32, name="z")
    run_phase(
        gan,
        lambda start: splits.train.training_batches(
            gan.n_critic * options.batch_size, 2 * options.seed, start, options.random_flip
        ),
        name="GAN",
        folder=run.gan,
        iterations=options.iterations,
        sheets={
            "samples": samples.generated(gan.generator, options.latent_dim, options.seed, gan.prior),
            "interpolation": samples.interpolated(gan.generator, options.latent_dim, options.seed, gan.prior),
        },
        graph=tf.function(gan.call).get_concrete_function(z).graph,
        checkpoint_every=options.checkpoint_every,
        log_every=options.log_every,
        sample_every=options.sample_every,
        turns=gan.n_critic,
    )


def restore_gan(gan: WganGp | Dcgan, run: RunDirectory, options: Options) -> None:
    """Gives `gan` what phase `gan` has come to, in this run or in that of `--gan_from`."""
    Checkpoints(gan, gan_run(run, options).gan / "checkpoints").restore()
