import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.detection import robust

# The three that it joins by now, and one that is compared as it is, which it joined before.
NAMES = [*robust.TERMS, "critic_distance"]
WEIGHTS = {"feature_density": 1.0, "feature_outside": 0.5, "local_correlation": 0.25, "critic_distance": 2.0}


def scales_of(means, deviations):
    return robust.Scales(dict.fromkeys(NAMES, means), dict.fromkeys(NAMES, deviations), weights=WEIGHTS)


def normals(seed=0, count=200):
    random = np.random.default_rng(seed)
    return {name: np.exp(random.normal(i, 0.1 + i, count)) for i, name in enumerate(NAMES)}


def test_standardised_normals_have_mean_0_and_deviation_1():
    terms = normals()
    scales = robust.fit(terms)
    for name, values in terms.items():
        z = scales.standardised(name, tf.constant(values, tf.float32)).numpy()
        assert z.mean() == pytest.approx(0, abs=1e-3) and z.std() == pytest.approx(1, abs=1e-3), name


def test_score_by_hand():
    scales = scales_of(1.0, 2.0)
    # Every term at z = 3: log(1 + e^3), whatever the weights.
    at_three = {name: tf.constant([7.0 if name == "critic_distance" else np.exp(7.0)], tf.float32) for name in NAMES}
    assert robust.score(at_three, scales).numpy() == pytest.approx([np.log1p(np.exp(3.0))], rel=1e-5)


def test_weights_by_hand():
    """One term at z = 3, the others at 0, whose log(1 + e^0) is log 2: the mean weighs each by its weight."""
    scales = scales_of(1.0, 2.0)
    total = sum(WEIGHTS.values())
    for high in NAMES:
        z = {name: 3.0 if name == high else 0.0 for name in NAMES}
        terms = {name: 1.0 + 2.0 * z[name] for name in NAMES}
        terms = {name: value if name == "critic_distance" else np.exp(value) for name, value in terms.items()}
        expected = sum(WEIGHTS[name] * np.log1p(np.exp(z[name])) for name in NAMES) / total
        found = robust.score({name: tf.constant([value], tf.float32) for name, value in terms.items()}, scales)
        assert found.numpy() == pytest.approx([expected], rel=1e-5), high


def test_three_terms_count_alike():
    """The critic's own value does not count, however far off."""
    scales = robust.fit(normals())
    assert scales.weights == {"feature_density": 1.0, "feature_outside": 1.0, "local_correlation": 1.0}
    typical = {name: tf.constant([np.median(values)], tf.float32) for name, values in normals().items()}
    expected = robust.score(typical, scales)
    np.testing.assert_array_equal(robust.score(typical | {"critic_distance": tf.constant([1e6])}, scales), expected)


def test_detectors_made_before_score_as_they_did():
    """Their settings have no weights."""
    terms = {name: tf.constant([np.exp(7.0)], tf.float32) for name in ("feature_density", "worst_blocks")}
    terms |= {name: tf.constant([np.exp(1.0)], tf.float32) for name in ("feature_outside", "local_correlation")}
    terms["critic_distance"] = tf.constant([7.0])
    former = robust.Scales(means=dict.fromkeys(terms, 1.0), deviations=dict.fromkeys(terms, 2.0))
    high, middle = np.log1p(np.exp(3.0)), np.log(2.0)
    expected = ((1.0 + 0.25 + 0.5) * high + (1.0 + 0.5) * middle) / 3.25
    assert robust.score(terms, former).numpy() == pytest.approx([expected], rel=1e-5)


def test_no_unit_matters():
    """A term in other units, as another width of the networks gives, makes the same score."""
    terms = normals()
    others = {name: values * (1000.0 if name != "critic_distance" else 7.0) for name, values in terms.items()}
    scores = [
        robust.score({name: tf.constant(v, tf.float32) for name, v in some.items()}, robust.fit(some)).numpy()
        for some in (terms, others)
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-3)


def test_each_term_speaks_where_it_is_sure():
    terms = normals()
    scales = robust.fit(terms)
    typical = {name: tf.constant([np.median(values)], tf.float32) for name, values in terms.items()}
    for name in robust.TERMS:
        high, low = (np.exp(scales.means[name] + z * scales.deviations[name]) for z in (8.0, -8.0))
        scores = [float(robust.score(typical | {name: tf.constant([v], tf.float32)}, scales)[0]) for v in (high, low)]
        middle = float(robust.score(typical, scales)[0])
        # However low one is, it takes back less than a typical one of its kind adds.
        assert scores[0] - middle > 5 * (middle - scores[1]) > 0, name


def test_softplus_is_exact_where_it_is_small():
    """Made of log(1 + y) in 32 bits, it would be off by 4e-4 of itself at -10, and 0 at -17."""
    x = np.concatenate([np.linspace(-80, 30, 1101), [0.0, -1e-6, 1e-6]]).astype(np.float32)
    np.testing.assert_allclose(robust.softplus(tf.constant(x)), np.log1p(np.exp(x.astype(np.float64))), rtol=4e-7)


def test_missing_terms_are_left_out():
    terms = normals()
    scales = robust.fit(terms)
    some = {name: tf.constant(values[:3], tf.float32) for name, values in terms.items()}
    fewer = {name: values for name, values in some.items() if name == NAMES[0]}
    alone = robust.softplus(scales.standardised(NAMES[0], some[NAMES[0]]))
    np.testing.assert_allclose(robust.score(fewer, scales), alone, rtol=1e-6)


def test_a_term_that_never_changes():
    terms = normals() | {NAMES[0]: np.ones(200)}
    scales = robust.fit(terms)
    some = {name: tf.constant(values, tf.float32) for name, values in terms.items()}
    assert np.isfinite(robust.score(some, scales)).all()
