"""The cost of a training iteration at a flagfile's settings: python benchmarks/flagfile_speed.py

Iterations per second and peak memory of both phases; each flagfile in a process of its own, on synthetic images in memory.
"""

import dataclasses
from statistics import median

import command
import harness
import keras
import synthetic
import trainers

from fanogan_tf.data.feed import Feed
from fanogan_tf.data.pixels import parse_image_size

WHAT = "Iterations per second and peak memory of both training phases at the settings of a flagfile. Synthetic images."
# An iteration of paper_64x64's GAN takes about a minute on two cores.
ROUNDS = {"mnist": {"warm": 3, "rounds": 10}, "paper_64x64": {"warm": 1, "rounds": 2}}


def measure(name: str, warm: int, rounds: int, quick: bool) -> dict:
    options = trainers.flagfile(name)
    if quick:
        options = dataclasses.replace(options, image_size="16", dim=4, latent_dim=4, batch_size=2)
    images = synthetic.image_set(synthetic.noise(2_000, *parse_image_size(options.image_size)[:1]))

    def timed(model: keras.Model, batch: int) -> dict:
        """Times iterations of `model`, each with a fresh batch of the input pipeline."""
        batches = iter(Feed(images, batch, options.seed, random_flip=options.random_flip)())
        step = trainers.compiled(model)
        seconds = harness.interleaved({"step": lambda: step(next(batches))}, rounds, warm)["step"]
        return {
            "images_per_iteration": batch,
            "seconds_per_iteration": harness.summary(seconds),
            "iterations_per_second": round(1 / median(seconds), 4),
            "images_per_second": round(batch / median(seconds), 2),
            "peak_memory_gb": command.peak_memory_gb(),
        }

    gan = trainers.gan(options)
    return {
        "before_training_gb": command.peak_memory_gb(),
        "gan": timed(gan, options.n_critic * options.batch_size),
        # In the same process, as in training: its peak memory includes that of the GAN.
        "encoder": timed(trainers.encoder_training(gan, options), options.batch_size),
    }


def run(quick: bool) -> dict:
    return {
        name: command.alone(name=name, quick=quick, **({"warm": 1, "rounds": 1} if quick else rounds))
        for name, rounds in ROUNDS.items()
    }


if __name__ == "__main__":
    command.main("flagfile_speed", WHAT, run, measure)
