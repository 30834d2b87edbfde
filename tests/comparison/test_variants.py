import pytest

from fanogan_tf.comparison.variants import TABLE_1, TABLE_2, TABLE_A1, VARIANTS, chosen, options_of
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options

OPTIONS = Options(iterations=100, n_critic=5, encoder_iterations=300, kappa=10.0, seed=3)  # 100 * 6 + 300 = 900 updates


def test_every_method_is_compared():
    assert {variant.settings["method"] for variant in VARIANTS.values()} == set(METHODS)
    assert {*TABLE_1, *TABLE_2, *TABLE_A1} == set(VARIANTS)


@pytest.mark.parametrize(
    ("name", "iterations"),
    [("ae", 450), ("adv_ae", 129), ("ali", 300), ("ganomaly", 225), ("anogan", 450), ("gan_r", 450), ("iterative", 100)],
)
def test_as_many_network_updates_for_all(name, iterations):
    assert options_of(VARIANTS[name], OPTIONS, 3, 0).iterations == iterations


def test_fanogan_keeps_its_budget_and_ziz_and_izi_score_by_pixels():
    both = options_of(VARIANTS["fanogan"], OPTIONS, 7, 0)
    assert (both.iterations, both.encoder_iterations, both.kappa, both.seed) == (100, 300, 10.0, 7)
    assert (both.encoder_loss, both.bound) == ("izi_f", "tanh")
    linear = options_of(VARIANTS["ziz_linear"], OPTIONS, 7, 0)
    assert (linear.encoder_loss, linear.bound, linear.kappa) == ("ziz", "linear", 0.0)
    assert options_of(VARIANTS["fanogan_linear"], OPTIONS, 7, 0).kappa == 10.0


def test_only_searches_score_fewer_images():
    few = {name for name, variant in VARIANTS.items() if options_of(variant, OPTIONS, 0, 50).test_images == 50}
    assert few == {"iterative", "anogan", "gan_r"}
    assert options_of(VARIANTS["iterative"], OPTIONS, 0, 50).validation_images == 12
    assert options_of(VARIANTS["iterative"], OPTIONS, 0, 0).test_images == 0


def test_a_gan_comes_before_the_variants_that_use_it():
    order = [variant.name for variant in chosen([])]
    assert sorted(order) == sorted(name for name, variant in VARIANTS.items() if not variant.named)
    assert all(order.index(variant.gan) < order.index(variant.name) for variant in chosen([]) if variant.gan)


def test_names():
    assert [variant.name for variant in chosen(["pca", "critic"])] == ["critic", "pca"]
    assert [variant.name for variant in chosen(["roi_sure", "ganomaly"])] == ["ganomaly", "roi_sure"]
    with pytest.raises(UserError, match=r"^--methods=svm: no such method; choose from fanogan, izi"):
        chosen(["pca", "svm"])
