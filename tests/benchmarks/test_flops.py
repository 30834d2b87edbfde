import pytest

from benchmarks import flops


def test_of_the_paper():
    """Counted by hand before: 3.385 and 3.564 GFLOP per image; far fewer with every halving and doubling folded."""
    assert flops.critic_forward(64, 64, "plain") == pytest.approx(3.385e9, rel=0.01)
    assert flops.generator_forward(64, 64, 128, "plain") == pytest.approx(3.564e9, rel=0.01)
    assert flops.critic_forward(64, 64, "ours") < 0.55 * flops.critic_forward(64, 64, "plain")


def test_by_hand():
    """8x8, dim 1, one block: first convolution, 3x3 of 1 -> 1, pooled 3x3 of 1 -> 2, shortcut of 1 -> 2, dense."""
    products = 64 * 9 + 64 * 9 + 16 * 9 * 2 + 16 * 2 + 16 * 2
    assert flops.critic_forward(8, 1, "ours") == 2 * products
    assert flops.critic_forward(8, 1, "plain") == 2 * (products + 16 * 27 * 2)
    # Latent 3: dense to 4x4x2, doubling 3x3 of 2 -> 1, 3x3 of 1 -> 1, shortcut of 2 -> 1, last convolution.
    products = 3 * 16 * 2 + 16 * 9 * 2 + 64 * 9 + 16 * 2 + 64 * 9
    assert flops.generator_forward(8, 1, 3, "ours") == 2 * products


def test_updates():
    critic, generator = flops.critic_forward(8, 1, "ours"), flops.generator_forward(8, 1, 3, "ours")
    found = flops.updates(8, 1, 3, 5, "ours")
    assert found == {"critic": 5 * (12 * critic + generator), "generator": 5 * (2 * critic + 3 * generator)}
