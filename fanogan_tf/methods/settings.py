"""Which settings a method listens to: what a report must say of a run, and what it must not, as it has changed nothing."""

import dataclasses

from fanogan_tf.methods.recipe import network_name
from fanogan_tf.options import Options

_NETWORKS = ("network", "dim", "latent_dim")
_UPDATES = ("batch_size", "iterations", "learning_rate")
_CRITIC = ("n_critic", "gradient_penalty")
_ENCODER = ("bound", "encoder_loss", "denoise", "encoder_iterations", "encoder_learning_rate")
_MAPPING = ("mapping_steps", "mapping_learning_rate", "mapping_patience")


def settings(options: Options) -> dict[str, object]:
    """Name -> value of the settings that `options.method` is made from, in the variant that the other options ask for.

    Not those of every method: images, seeds and threshold; nor what changes the speed alone.
    """
    decided = dataclasses.replace(options, network=network_name(options))
    gan = (*_NETWORKS, *_UPDATES, *(_CRITIC if decided.network == "resnet" else ()))
    names = {
        "fanogan": (*gan, *_ENCODER, "kappa"),
        "iterative": (*gan, "mapping_start", *(_ENCODER if options.mapping_start == "encoder" else ()), *_MAPPING, "kappa"),
        "critic": gan,
        "anogan": (*gan, "anogan_variant", *(("anogan_lambda", *_MAPPING) if options.anogan_variant != "p_d" else ())),
        "ae": (*_NETWORKS, "bound", *_UPDATES),
        "adv_ae": (*_NETWORKS, "bound", *_UPDATES, *_CRITIC, "adversarial_weight", "kappa"),
        "ali": (*_NETWORKS, *_UPDATES, "kappa"),
        "ganomaly": ("dim", "latent_dim", *_UPDATES, "ganomaly_adversarial", "ganomaly_contextual", "ganomaly_encoding"),
        "pca": ("latent_dim", "fit_images"),
        "ocsvm": ("latent_dim", "fit_images"),
    }[options.method]
    return {name: getattr(decided, name) for name in names}
