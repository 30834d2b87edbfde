"""The variants that the tables compare: every method, and f-AnoGAN with other encoder losses and bounds.

The papers' own figures are here too. They come from other data, networks and budgets, and are shown for orientation only.
"""

import dataclasses
from collections.abc import Callable

from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


@dataclasses.dataclass(frozen=True)
class Variant:
    """One trained detector of the comparison.

    Attributes:
      name: of its run directory, and in `--methods`.
      title: in tables.
      settings: the options that it sets.
      gan: the variant whose GAN it takes; "" for none.
      updates: options -> number of networks that one of its iterations updates; None for f-AnoGAN's own phases, and for methods
        fitted in one go.
      searches: whether it searches z for each image, which takes hundreds of times as long.
      named: whether it is run only where it is named: it asks for regions, which not all data have, or is of one paper's table.
    """

    name: str
    title: str
    settings: dict
    gan: str = ""
    updates: Callable[[Options], int] | None = None
    searches: bool = False
    named: bool = False


def _fanogan(name: str, title: str, encoder_loss: str, bound: str) -> Variant:
    # The paper scores ziz and izi by A_R alone; their score tables have the feature residual too.
    by_image = {} if encoder_loss == "izi_f" else {"kappa": 0.0}
    settings = {"method": "fanogan", "encoder_loss": encoder_loss, "bound": bound, **by_image}
    return Variant(name, title, settings, gan="" if name == "fanogan" else "fanogan")


def _roi(name: str, title: str, consistency: str) -> Variant:
    settings = {"method": "roi_ganomaly", "consistency": consistency}
    return Variant(name, title, settings, updates=lambda options: 4, named=True)


def _two(options: Options) -> int:
    return 2


_ALL = (
    _fanogan("fanogan", "f-AnoGAN", "izi_f", "tanh"),
    _fanogan("izi", "izi", "izi", "tanh"),
    _fanogan("ziz", "ziz", "ziz", "tanh"),
    _fanogan("fanogan_linear", "izi_f, linear", "izi_f", "linear"),
    _fanogan("izi_linear", "izi, linear", "izi", "linear"),
    _fanogan("ziz_linear", "ziz, linear", "ziz", "linear"),
    Variant("iterative", "iterative", {"method": "iterative"}, gan="fanogan", searches=True),
    Variant("critic", "A_D (critic)", {"method": "critic"}, gan="fanogan"),
    Variant("ae", "AE", {"method": "ae"}, updates=_two),
    Variant("adv_ae", "AdvAE", {"method": "adv_ae"}, updates=lambda options: options.n_critic + 2),
    Variant("ali", "ALI", {"method": "ali"}, updates=lambda options: 3),
    Variant("anogan", "AnoGAN", {"method": "anogan", "anogan_variant": "anogan"}, updates=_two, searches=True),
    Variant("gan_r", "GAN_R", {"method": "anogan", "anogan_variant": "gan_r"}, gan="anogan", updates=_two, searches=True),
    Variant("p_d", "P_D", {"method": "anogan", "anogan_variant": "p_d"}, gan="anogan", updates=_two),
    Variant("ganomaly", "GANomaly", {"method": "ganomaly"}, updates=lambda options: 4),
    Variant(
        "unet", "GANomaly, U-Net", {"method": "ganomaly", "ganomaly_autoencoder": "unet"}, updates=lambda options: 4, named=True
    ),
    Variant(
        "ganomaly_original",
        "GANomaly, its settings",
        # Those of its authors' code but for the width and the number of updates.
        {"method": "ganomaly", "latent_dim": 100, "learning_rate": 2e-4, "batch_size": 64},
        updates=lambda options: 4,
        named=True,
    ),
    Variant("fanogan_dcgan", "f-AnoGAN, DCGAN", {"method": "fanogan", "network": "dcgan"}, named=True),
    _roi("roi_l2", "ROI + L2", "l2"),
    _roi("roi_sure", "ROI + SURE", "sure"),
    _roi("roi_pure", "ROI + PURE", "poisson_gauss"),
    Variant("pca", "PCA", {"method": "pca"}),
    Variant("ocsvm", "one-class SVM", {"method": "ocsvm"}),
)
VARIANTS = {variant.name: variant for variant in _ALL}

# In every table, so that a reader sees whether a GAN is worth its training.
BASELINES = ("pca", "ocsvm")
TABLE_1 = (
    *BASELINES,
    *("ae", "adv_ae", "ali", "critic", "anogan", "gan_r", "p_d", "ganomaly", "ganomaly_original", "unet"),
    *("roi_l2", "roi_sure", "roi_pure", "iterative", "fanogan_dcgan", "fanogan"),
)
TABLE_2 = ("ziz", "izi", "fanogan")
TABLE_A1 = ("ziz_linear", "izi_linear", "fanogan_linear")


def chosen(names: list[str]) -> list[Variant]:
    """Picks the variants of these names, in the order of training; all but those that want to be named for an empty list.

    Raises:
      UserError: no such variant.
    """
    for name in names:
        if name not in VARIANTS:
            raise UserError(f"--methods={name}: no such method; choose from {', '.join(VARIANTS)}")
    return [variant for variant in _ALL if variant.name in names or not (names or variant.named)]


def options_of(variant: Variant, options: Options, seed: int, searched_images: int) -> Options:
    """Makes the options of the variant's run.

    Every method gets as many network updates as f-AnoGAN's two phases together, (n_critic + 1) iterations + encoder_iterations;
    an iteration of the autoencoder, for example, updates two networks.

    Args:
      variant: the detector to train.
      options: of the comparison.
      seed: of the run.
      searched_images: at most this many test images, half of them normal, and a quarter as many held-out ones, where z is
        searched for each image; 0: all.
    """
    settings = {**variant.settings, "seed": seed}
    if variant.updates:
        all_updates = options.iterations * (options.n_critic + 1) + options.encoder_iterations
        settings["iterations"] = max(1, round(all_updates / variant.updates(options)))
    if variant.searches and searched_images:
        settings |= {"test_images": searched_images, "half_normal": True, "validation_images": max(2, searched_images // 4)}
    return dataclasses.replace(options, **settings)


# Schlegl et al. 2019, Table 1 and section 3.2, on private retinal OCT: AUC by variant.
IMAGE_AUC = {
    "ae": 0.8688,
    "adv_ae": 0.8649,
    "ali": 0.7897,
    "critic": 0.7504,
    "iterative": 0.9114,
    "fanogan": 0.9301,
    "ziz": 0.9066,
    "izi": 0.8874,
    "ziz_linear": 0.8848,
    "izi_linear": 0.8752,
    "fanogan_linear": 0.9269,
}
# The same with the feature residual at scoring.
IMAGE_AUC_WITH_FEATURES = {"izi": 0.8976, "ziz": 0.9209}

# Table B1, pixels.
PIXEL_AUC = {"ae": 0.6459, "adv_ae": 0.7195, "ali": 0.6610, "fanogan": 0.7831}

# One digit of MNIST normal, mean AUROC over the ten.
MNIST_MEAN = {"f-AnoGAN": 0.901, "Deep SVDD": 0.948, "OCGAN": 0.975, "ARNet": 0.983}
