"""The methods that stand on a GAN, and their phase `gan`: a WGAN-GP of ResNets, or a DCGAN with its own losses.

`--gan_from`: the finished GAN of another run, instead of one trained in this run. It stays where it is.
"""

import dataclasses
import json
from typing import Any

import keras
import tensorflow as tf

from fanogan_tf.data.image_set import Splits
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.methods.base import (
    CRITIC,
    NETWORKS,
    SCORE,
    UPDATES,
    Method,
    adam,
    calibrate_and_save,
    check_images,
    network_name,
    network_spec,
    training_feed,
)
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training import monitoring
from fanogan_tf.training.augmentation import CHANGES
from fanogan_tf.training.calls import compiles
from fanogan_tf.training.checkpointing import Checkpoints, checkpoints_in, saved_seconds, saved_step
from fanogan_tf.training.gan import Dcgan, Penalty, WganGp
from fanogan_tf.training.loop import Schedule, run_phase

# Names of the options that the search for z by gradient descent reads.
MAPPING = ("mapping_start", "mapping_clipping", "mapping_steps", "mapping_learning_rate", "mapping_patience")

# Of a NetworkSpec: what does not concern a GAN, or may change between two uses of one.
_NOT_OF_THE_GAN = {"bound", "folded", "precision"}


class GanMethod(Method):
    """A method whose first, and perhaps only, phase trains a GAN."""

    PHASES: tuple[str, ...] = ("gan",)
    OPTIONS: tuple[str, ...] = (*NETWORKS, *UPDATES, *CRITIC, "members", "average", "augment", "gan_from", *SCORE)

    def settings(self, options: Options) -> tuple[str, ...]:
        """See `Method.settings`: a DCGAN has neither turns of its critic nor a penalty."""
        left_out = {"gan_from", *(CRITIC if network_name(options) == "dcgan" else ())}
        return tuple(name for name in self.OPTIONS if name not in left_out)

    def check(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """See `Method.check`.

        Raises:
          UserError: the networks cannot make images of that size; too few are held out; no such change;
            or what `check_member` says.
        """
        check_images(splits)
        changes_of(options)
        if options.gan_from and options.members > 1:
            raise UserError(
                f"--gan_from={options.gan_from}: is one GAN, --members={options.members} train their own; leave one out"
            )
        for one, own in members(run, options):
            self.check_member(one, own, splits, phases, overwrite)

    def check_member(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...], overwrite: bool) -> None:
        """The part of `check` that each member is due.

        Raises:
          UserError: what `check_gan_from` says.
        """
        check_gan_from(run, options, splits)

    def train(self, run: RunDirectory, options: Options, splits: Splits, phases: tuple[str, ...]) -> None:
        """See `Method.train`: one member after the other."""
        detectors = []
        for number, (one, own) in enumerate(members(run, options)):
            if options.members > 1:
                print(f"member {number + 1} of {options.members}, seed {own.seed}: {one.path}", flush=True)
            spec = network_spec(own, splits.train.image_shape)
            gan = gan_training(spec, own)
            if "gan" in phases:
                train_gan(gan, one, own, splits)
            if self.last_phase(own) in phases:
                restore_gan(gan, one, own)
                detectors.append(self.detector(gan, spec, one, own, splits))
        if detectors:
            calibrate_and_save(detectors, run, options, splits)

    def last_phase(self, options: Options) -> str:
        """The phase that the detector comes of."""
        return self.PHASES[-1]

    def detector(self, gan: WganGp | Dcgan, spec: NetworkSpec, run: RunDirectory, options: Options, splits: Splits) -> Detector:
        """Makes the detector, not yet calibrated, of a finished GAN; trains what else it needs."""
        raise NotImplementedError

    def training_seconds(self, run: RunDirectory) -> dict[str, float]:
        """See `Method.training_seconds`: of all members together."""
        found = [self.member_seconds(one) for one, _ in members(run, run.kept_options())]
        return {phase: sum(seconds[phase] for seconds in found) for phase in found[0]}

    def member_seconds(self, run: RunDirectory) -> dict[str, float]:
        """How long each phase of a member was trained, by its name."""
        return {"gan": gan_seconds(run)}


def search_settings(options: Options) -> dict[str, Any]:
    """What `latent_search.SETTINGS` are for a detector made with `options`."""
    return {
        "steps": options.mapping_steps,
        "learning_rate": options.mapping_learning_rate,
        "patience": options.mapping_patience,
        "seed": options.seed,
        "clipping": options.mapping_clipping,
        "start_from": options.mapping_start,
    }


def members(run: RunDirectory, options: Options) -> list[tuple[RunDirectory, Options]]:
    """Each member's directory and options: what a run of that seed alone would have."""
    others = [(run.member(i), dataclasses.replace(options, seed=options.seed + i)) for i in range(1, options.members)]
    return [(run, options), *others]


def gan_training(spec: NetworkSpec, options: Options) -> WganGp | Dcgan:
    """The training, compiled, with the first weights of `options.seed`."""
    keras.utils.set_random_seed(options.seed)
    settings: dict[str, Any] = {
        "latent_dim": options.latent_dim,
        "seed": options.seed,
        "average": options.average,
        "changes": changes_of(options),
    }
    gan: WganGp | Dcgan
    betas: tuple[float, ...]
    if spec.network == "dcgan":
        gan, betas = Dcgan(spec.generator(), spec.critic(), **settings), (0.5,)
    else:
        settings |= {"n_critic": options.n_critic, "penalty": Penalty(options.gradient_penalty, options.penalty_every)}
        gan, betas = WganGp(spec.generator(), spec.critic(), **settings), (0.0, 0.9)
    gan.compile(*(adam(options, *betas) for _ in range(2)), jit_compile=compiles(options.jit_compile))
    return gan


def changes_of(options: Options) -> tuple[str, ...]:
    """The names in `--augment`.

    Raises:
      UserError: one of them is no change.
    """
    names = tuple(filter(None, options.augment.split(",")))
    if unknown := set(names) - CHANGES.keys():
        raise UserError(f"--augment={options.augment}: no change is called {min(unknown)}; there are {', '.join(CHANGES)}")
    return names


def train_gan(gan: WganGp | Dcgan, run: RunDirectory, options: Options, splits: Splits) -> None:
    """Trains `gan` in `run.gan`, from where it stopped; nothing with `--gan_from`."""
    if options.gan_from:
        print(f"GAN: that of {options.gan_from}, at iteration {options.iterations}", flush=True)
        return
    z = tf.TensorSpec((None, options.latent_dim), tf.float32, name="z")
    run_phase(
        gan,
        training_feed(splits.train, gan.n_critic * options.batch_size, options),
        Schedule.of(options, options.iterations),
        name="GAN",
        folder=run.gan,
        sheets={
            "samples": monitoring.generated(gan.generator, options.latent_dim, options.seed, gan.prior),
            "interpolation": monitoring.interpolated(gan.generator, options.latent_dim, options.seed, gan.prior),
        },
        graph=tf.function(gan.call, autograph=False).get_concrete_function(z).graph,
        turns=gan.n_critic,
    )


def restore_gan(gan: WganGp | Dcgan, run: RunDirectory, options: Options) -> None:
    """Gives `gan` what phase `gan` has come to, in this run or in that of `--gan_from`: averaged weights, where there are any."""
    Checkpoints(gan, checkpoints_in(gan_run(run, options).gan)).restore()
    gan.use_averages()


def gan_run(run: RunDirectory, options: Options) -> RunDirectory:
    """The run whose GAN `run` stands on: that of `--gan_from`, or itself."""
    return RunDirectory(options.gan_from) if options.gan_from else run


def gan_step(run: RunDirectory, options: Options) -> int:
    """The iteration that the GAN of `run` is at."""
    return saved_step(checkpoints_in(gan_run(run, options).gan))


def gan_seconds(run: RunDirectory) -> float:
    """How long the GAN of `run` was trained, wherever that was."""
    return saved_seconds(checkpoints_in(gan_run(run, run.kept_options()).gan))


def check_gan_from(run: RunDirectory, options: Options, splits: Splits) -> None:
    """Says what speaks against standing on the GAN of `--gan_from`; nothing where that is not given.

    Raises:
      UserError: there is no GAN, or one of other networks, other images, or another number of iterations.
    """
    if not options.gan_from:
        return
    source = gan_run(run, options)
    pair = f"--gan_from={source.path}: for {run.path}"
    if source.path.resolve() == run.path.resolve():
        raise UserError(f"{pair}, that is the run itself; name another run, or leave --gan_from out")
    if not source.flags.is_file() or not source.data.is_file():
        raise UserError(f"{pair}, there is no run; run fanogan train --run_dir={source.path} first")
    theirs = source.kept_options()
    if theirs.gan_from:
        raise UserError(f"{pair}, that run has no GAN of its own; it stands on --gan_from={theirs.gan_from}: name that one")
    _check_networks(pair, theirs, source, options, splits)
    try:
        source.check_data(splits, names=("train",))
    except UserError as error:
        raise UserError(f"{pair}, its GAN was made with other images; take the same --dataset and split ({error})") from error
    step = saved_step(checkpoints_in(source.gan))
    if not step or step < theirs.iterations:
        raise UserError(f"{pair}, its GAN is at iteration {step} of {theirs.iterations}; train it to its end first")
    if step != options.iterations:
        raise UserError(f"{pair}, its GAN is at iteration {step}, not {options.iterations}; say so with --iterations={step}")


def _check_networks(pair: str, theirs: Options, source: RunDirectory, options: Options, splits: Splits) -> None:
    shape = tuple(json.loads(source.data.read_text(encoding="utf-8"))["train"]["shape"])
    there, here = (
        dataclasses.asdict(network_spec(own, size)) | {"average": own.average, "augment": own.augment}
        for own, size in ((theirs, shape), (options, splits.train.image_shape))
    )
    differing = [name for name in here if name not in _NOT_OF_THE_GAN and here[name] != there[name]]
    if differing:
        details = ", ".join(f"{name} is {there[name]} there, {here[name]} here" for name in differing)
        raise UserError(f"{pair}, its GAN is of other networks: {details}; take the same settings")
