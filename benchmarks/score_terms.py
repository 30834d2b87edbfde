"""What all score terms cost beside the paper's alone, on the same weights and images: python benchmarks/score_terms.py"""

import functools
from statistics import median

import command
import harness
import synthetic

from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.description import describe
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.networks.spec import NetworkSpec

WHAT = (
    "Images per second of f-AnoGAN's networks with random weights, on synthetic noise: the paper's score, or all terms beside it."
)
SIZES = [{"side": 32, "dim": 16, "latent_dim": 32}, {"side": 64, "dim": 16, "latent_dim": 128}]
BATCH, NORMALS, ROUNDS = 64, 2_000, 25


def measured(side: int, dim: int, latent_dim: int, quick: bool) -> dict:
    """Measures both on one batch, in turns."""
    paper = synthetic.detector(NetworkSpec((side, side, 1), dim, latent_dim))
    networks = {name: getattr(paper, name) for name in EncoderDetector.NETWORKS}
    full = EncoderDetector(paper.spec, **networks, kappa=paper.kappa)
    normals, held_out = (synthetic.image_set(synthetic.noise(100 if quick else count, side, count)) for count in (NORMALS, 300))
    scores = describe(full, normals, held_out, BATCH, "robust", NORMALS, seed=0)["score"]
    full.calibration = calibrate(scores, "quantile", 0.05)
    noise = synthetic.signed_noise(BATCH, side)
    forms = {name: functools.partial(one.measure, noise) for name, one in (("paper", paper), ("all terms", full))}
    seconds = harness.interleaved(forms, rounds=2 if quick else ROUNDS)
    return {
        "side": side,
        "dim": dim,
        "latent_dim": latent_dim,
        "seconds_per_batch": {name: harness.summary(times) for name, times in seconds.items()},
        "images_per_second": {name: round(BATCH / median(times), 1) for name, times in seconds.items()},
        "all_terms_against_paper": harness.ratios(seconds, "paper")["all terms"],
    }


def full(quick: bool) -> dict:
    return {"batch": BATCH, "described_normals": NORMALS, "sizes": [measured(**size, quick=quick) for size in SIZES]}


if __name__ == "__main__":
    command.main("score_terms", WHAT, full)
