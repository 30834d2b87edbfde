"""The speed of an encoder against latent search, on the same weights and images: python benchmarks/mapping_speed.py"""

import functools

import command
import harness
import synthetic

from fanogan_tf.methods.anogan import AnoganDetector
from fanogan_tf.methods.iterative import IterativeDetector
from fanogan_tf.networks.spec import NetworkSpec

WHAT = (
    "Scoring by f-AnoGAN's encoder, by 300 updates of z (iterative) and by 500 (AnoGAN), batched, none stopped early; the same "
    "random weights of ResNet generator and critic, and the same synthetic noise for images."
)
SIZE = {"side": 32, "dim": 16, "latent_dim": 32}
BATCH = 64
STEPS = {"iterative": 300, "anogan": 500}
ROUNDS = 2


def full(quick: bool) -> dict:
    return {"batch": BATCH, "steps": STEPS, **measured(**SIZE, quick=quick)}


def measured(side: int, dim: int, latent_dim: int, quick: bool) -> dict:
    """Measures the images per second of each, and how many times as fast the encoder is."""
    encoder = synthetic.detector(NetworkSpec((side, side, 1), dim, latent_dim))
    search = {"learning_rate": 0.1, "patience": 0, "seed": 0, "clipping": "projected", "start_from": "nearest"}
    parts = {"generator": encoder.generator, "critic": encoder.critic, **search}
    steps = {name: 3 if quick else count for name, count in STEPS.items()}
    detectors = {
        "f-AnoGAN": encoder,
        "iterative": IterativeDetector(encoder.spec, **parts, kappa=1.0, steps=steps["iterative"]),
        "anogan": AnoganDetector(encoder.spec, **parts, anogan_lambda=0.1, steps=steps["anogan"]),
    }
    images = synthetic.signed_noise(BATCH, side)
    forms = {name: functools.partial(detector.measure, images) for name, detector in detectors.items()}
    seconds = harness.interleaved(forms, rounds=1 if quick else ROUNDS, warm=1)
    summaries = {name: harness.summary(times) for name, times in seconds.items()}
    fast = summaries["f-AnoGAN"]["median"]
    return {
        "side": side,
        "dim": dim,
        "latent_dim": latent_dim,
        "seconds_per_batch": summaries,
        "images_per_second": {name: round(BATCH / summary["median"], 2) for name, summary in summaries.items()},
        "f-AnoGAN_times_as_fast_as": {name: round(summaries[name]["median"] / fast) for name in STEPS},
    }


if __name__ == "__main__":
    command.main("mapping_speed", WHAT, full)
