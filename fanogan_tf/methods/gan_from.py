"""`--gan_from`: the finished GAN of another run, instead of one trained in this run. It stays where it is."""

import dataclasses
import json

from fanogan_tf import options as options_module
from fanogan_tf.data.splits import Splits
from fanogan_tf.errors import UserError
from fanogan_tf.methods.recipe import network_spec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.checkpointing import saved_seconds, saved_step

# What does not concern a GAN, or may change between two uses of one.
_NOT_OF_THE_GAN = {"bound", "folded", "precision"}


def gan_run(run: RunDirectory, options: Options) -> RunDirectory:
    """The run whose GAN `run` stands on: that of `--gan_from`, or itself."""
    return RunDirectory(options.gan_from) if options.gan_from else run


def gan_step(run: RunDirectory, options: Options) -> int:
    """The iteration that the GAN of `run` is at."""
    return saved_step(gan_run(run, options).gan / "checkpoints")


def gan_seconds(run: RunDirectory) -> float:
    """How long the GAN of `run` was trained, wherever that was."""
    return saved_seconds(gan_run(run, kept_options(run)).gan / "checkpoints")


def kept_options(run: RunDirectory) -> Options:
    """The options that `run` last had; the defaults where there is no run yet.

    Raises:
      UserError: they are not of this version.
    """
    return options_module.from_text(run.flags.read_text(encoding="utf-8"), str(run.flags)) if run.flags.is_file() else Options()


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
        raise UserError(f"{pair}, there is no run; run scripts/train.py --run_dir={source.path} first")
    theirs = kept_options(source)
    if theirs.gan_from:
        raise UserError(f"{pair}, that run has no GAN of its own; it stands on --gan_from={theirs.gan_from}: name that one")
    _check_networks(pair, theirs, source, options, splits)
    try:
        source.check_data(splits, names=("train",))
    except UserError as error:
        raise UserError(f"{pair}, its GAN was made with other images; take the same --dataset and split ({error})") from error
    step = saved_step(source.gan / "checkpoints")
    if not step or step < theirs.iterations:
        raise UserError(f"{pair}, its GAN is at iteration {step} of {theirs.iterations}; train it to its end first")
    if step != options.iterations:
        raise UserError(f"{pair}, its GAN is at iteration {step}, not {options.iterations}; say so with --iterations={step}")


def _check_networks(pair: str, theirs: Options, source: RunDirectory, options: Options, splits: Splits) -> None:
    shape = tuple(json.loads(source.data.read_text(encoding="utf-8"))["train"]["shape"])
    there = dataclasses.asdict(network_spec(theirs, shape))
    here = dataclasses.asdict(network_spec(options, splits.train.image_shape))
    differing = [name for name in here if name not in _NOT_OF_THE_GAN and here[name] != there[name]]
    if differing:
        details = ", ".join(f"{name} is {there[name]} there, {here[name]} here" for name in differing)
        raise UserError(f"{pair}, its GAN is of other networks: {details}; take the same settings")
