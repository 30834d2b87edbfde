"""The floating-point operations of the networks' convolutions and products."""

import itertools

from fanogan_tf.networks.geometry import geometry

# Multiplications per output of a 3x3 convolution that halves the sides; plain, four outputs are computed and averaged.
_PER_OUTPUT = {"plain": 4 * 9, "ours": 9}


def critic_forward(side: int, dim: int, form: str) -> float:
    """Counts one image through the critic: multiplications and additions. form: `plain` or `ours`."""
    filters = geometry(side, side).down_filters(dim)
    products = side**2 * 9 * filters[0]
    for before, after in itertools.pairwise(filters):
        half = (side // 2) ** 2
        products += side**2 * 9 * before**2 + half * _PER_OUTPUT[form] * before * after + half * before * after
        side //= 2
    return 2.0 * (products + side**2 * filters[-1])


def generator_forward(side: int, dim: int, latent_dim: int, form: str) -> float:
    """Counts one image of the generator. A plain shortcut is doubled first, then convolved."""
    shape = geometry(side, side)
    filters = shape.up_filters(dim)
    small = shape.base[0]
    products = latent_dim * small**2 * filters[0]
    for before, after in itertools.pairwise(filters):
        shortcut = 4 if form == "plain" else 1
        products += small**2 * (_PER_OUTPUT[form] + shortcut) * before * after + (2 * small) ** 2 * 9 * after**2
        small *= 2
    return 2.0 * (products + side**2 * 9 * filters[-1])


def updates(side: int, dim: int, latent_dim: int, batch: int, form: str) -> dict[str, float]:
    """Counts whole updates.

    Backward costs twice forward. Critic: real and fake 2 * 3, the penalty 6 (it is differentiated twice), and one generation.
    Generator: the critic forward and back to its images only, 2, and the generator 3.
    """
    critic, generator = critic_forward(side, dim, form), generator_forward(side, dim, latent_dim, form)
    return {"critic": batch * (12 * critic + generator), "generator": batch * (2 * critic + 3 * generator)}
