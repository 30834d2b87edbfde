"""f-AnoGAN (Schlegl et al. 2019): a WGAN-GP on normal images, then an encoder against it, then a calibration."""

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf.data.splits import Splits
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import batch_size_for
from fanogan_tf.errors import UserError
from fanogan_tf.networks.geometry import geometry
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import losses, samples
from fanogan_tf.training.checkpointing import Checkpoints, saved_seconds, saved_step
from fanogan_tf.training.encoder import EncoderTraining
from fanogan_tf.training.phase import run_phase
from fanogan_tf.training.wgan_gp import WganGp

PHASES = ("gan", "encoder")


def check(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
    """Says what speaks against `train`, before it changes anything.

    Raises:
      UserError: the networks cannot make images of that size; too few are held out; the encoder's turn has come but the GAN is
        not finished; or the GAN is to be trained on under an encoder that was trained against it.
    """
    geometry(*splits.train.image_shape[:2])
    if len(splits.validation) < 2:
        raise UserError("calibration needs at least two held-out normal images; raise --validation_fraction or add images")
    trained = 0 if overwrite else saved_step(run.gan / "checkpoints")
    if "gan" not in phases and trained < options.iterations:
        raise UserError(
            f"--phase=encoder: the GAN in {run.gan} is at iteration {trained} of {options.iterations}; run --phase=gan first"
        )
    if not overwrite and saved_step(run.encoder / "checkpoints") and trained != options.iterations:
        raise UserError(
            f"--iterations={options.iterations}: the encoder in {run.encoder} was trained against the GAN at iteration "
            f"{trained}; to train the GAN differently, take another --run_dir or --overwrite"
        )


def train(run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...] = PHASES) -> None:
    """Trains the phases asked for, each from where it stopped; after the last one the calibrated Detector is in `run.detector`.

    Raises:
      UserError: what `run_phase` raises.
    """
    spec = network_spec(options, splits.train.image_shape)
    gan = gan_training(spec, options)
    if "gan" in phases:
        _train_gan(gan, run, options, splits)
    if "encoder" in phases:
        Checkpoints(gan, run.gan / "checkpoints").restore()
        encoder = _train_encoder(gan, spec, run, options, splits)
        detector = Detector(spec, encoder, gan.generator, gan.critic, kappa=options.kappa)
        _calibrate(detector, options, splits)
        detector.save(run.detector)


def _calibrate(detector: Detector, options: Options, splits: Splits) -> None:
    terms = ("score", "image_residual", "feature_residual")
    parts = []
    for batch in splits.validation.batches(batch_size_for(options.score_batch_size)):
        measured = detector.measure(batch["image"])
        parts.append([measured[term] for term in terms])  # Not the pictures: they would fill the memory.
    values = dict(zip(terms, map(np.concatenate, zip(*parts, strict=True)), strict=True))
    detector.calibration = calibrate(values["score"], options.threshold_rule, options.false_positive_rate)
    print(
        f"calibrated on {len(values['score'])} held-out normal images: mean A_R {values['image_residual'].mean():.4f}, "
        f"mean A_D {values['feature_residual'].mean():.4f}, threshold {detector.calibration.threshold:.4f}",
        flush=True,
    )


def training_seconds(run: RunDirectory) -> dict[str, float]:
    """How long each phase was trained, by its name."""
    return {phase: saved_seconds(folder / "checkpoints") for phase, folder in zip(PHASES, (run.gan, run.encoder), strict=True)}


def network_spec(options: Options, image_shape: tuple[int, int, int]) -> NetworkSpec:
    """The networks that `options` ask for, for images (H, W, 1)."""
    return NetworkSpec(image_shape, options.dim, options.latent_dim, options.bound, options.folded, options.mixed_precision)


def gan_training(spec: NetworkSpec, options: Options) -> WganGp:
    """Phase 1, compiled, with the first weights of `options.seed`."""
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


def encoder_training(gan: WganGp, spec: NetworkSpec, options: Options) -> EncoderTraining:
    """Phase 2, compiled, against the networks of `gan`, which it freezes."""
    # Seeded anew: the encoder's first weights must not depend on whether the GAN was trained in this process.
    keras.utils.set_random_seed(options.seed + 1)
    training = EncoderTraining(
        spec.encoder(),
        gan.generator,
        gan.critic,
        latent_dim=options.latent_dim,
        weights=losses.encoder_weights(options.encoder_loss, options.kappa),
        denoise=options.denoise,
        seed=options.seed,
    )
    training.compile(keras.optimizers.RMSprop(options.encoder_learning_rate, rho=0.9), jit_compile=options.jit_compile)
    return training


def _adam(options: Options) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(options.learning_rate, beta_1=0.0, beta_2=0.9)


def _train_gan(gan: WganGp, run: RunDirectory, options: Options, splits: Splits) -> None:
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


def _train_encoder(gan: WganGp, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> keras.Model:
    training = encoder_training(gan, spec, options)
    encoder = training.encoder
    some = splits.validation.float_images(np.arange(min(16, len(splits.validation)) // 2 * 2))
    images = tf.TensorSpec((None, *spec.image_shape), tf.float32, name="image")
    run_phase(
        training,
        lambda start: splits.train.training_batches(options.batch_size, 2 * options.seed + 1, start, options.random_flip),
        name="encoder",
        folder=run.encoder,
        iterations=options.encoder_iterations,
        sheets={
            "restored": samples.restored(encoder, gan.generator, some),
            "interpolation": samples.interpolated_encodings(encoder, gan.generator, some),
        },
        graph=tf.function(training.call).get_concrete_function(images).graph,
        checkpoint_every=options.checkpoint_every,
        log_every=options.log_every,
        sample_every=options.sample_every,
    )
    return encoder
