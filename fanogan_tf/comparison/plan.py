"""What has to be trained and scored for a comparison: every variant with every seed, on every class that takes its turn."""

import dataclasses
from pathlib import Path

from fanogan_tf.comparison.variants import VARIANTS, Variant, options_of
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

_CLASSES = {"digits": 10, "mnist": 10, "fashion_mnist": 10}


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of the comparison.

    protocol: "normal 5", "anomalous 5", or "" where the data have no classes. gan: the run whose GAN it takes; None if it has its
    own, or none.
    """

    protocol: str
    variant: Variant
    seed: int
    run: RunDirectory
    options: Options
    gan: "Job | None"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.protocol, f"seed {self.seed}", self.variant.title)))


def jobs(root: Path, options: Options, variants: list[Variant], seeds: int, searched_images: int) -> list[Job]:
    """All runs, in the order in which to train them.

    Args:
      root: their directories lie below it, as PROTOCOL/seed_N/VARIANT.
      options: normal_class or anomalous_class may be `all`, or several with commas in between.
      seeds: how many, from `options.seed` on.
      searched_images: see `variants.options_of`.

    Raises:
      UserError: classes of a data set that has none.
    """
    return [
        _job(Path(root), protocol, variant, of_class, seed, searched_images)
        for protocol, of_class in _protocols(options)
        for seed in range(options.seed, options.seed + seeds)
        for variant in variants
    ]


def _job(root: Path, protocol: str, variant: Variant, options: Options, seed: int, searched_images: int) -> Job:
    gan = _job(root, protocol, VARIANTS[variant.gan], options, seed, searched_images) if variant.gan else None
    own = options_of(variant, options, seed, searched_images)
    if gan:
        own = dataclasses.replace(own, gan_from=str(gan.run.path.absolute()))
    folder = root / protocol.replace(" ", "_").replace("/", "-") / f"seed_{seed}" / variant.name
    return Job(protocol, variant, seed, RunDirectory(folder, cache=root / "cache"), own, gan)


def _protocols(options: Options) -> list[tuple[str, Options]]:
    """Every class that is normal, or anomalous, in turn: the protocol's name and the options for it."""
    flag = "anomalous_class" if options.anomalous_class else "normal_class"
    asked = getattr(options, flag).strip()
    if options.dataset not in _CLASSES:
        if options.anomalous_class or asked == "all" or "," in asked:
            raise UserError(f"--{flag}={asked}: --dataset={options.dataset} has no classes to take in turn; leave it out")
        return [("", options)]
    classes = map(str, range(_CLASSES[options.dataset])) if asked == "all" else map(str.strip, asked.split(","))
    return [(f"{flag.removesuffix('_class')} {name}", dataclasses.replace(options, **{flag: name})) for name in classes]
