import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.detection import normality
from fanogan_tf.detection.normality import Hidden

FEATURES = 96


@pytest.fixture(autouse=True)
def fewer_components(monkeypatch):
    monkeypatch.setattr(normality, "COMPONENTS", 64)


def hidden(seed, count, shift=0.0):
    """What a critic might see: features of ten directions and a little noise, all above 0; maps of two sizes."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(0, 1, (10, FEATURES))
    features = 20 + random.normal(0, 1, (count, 10)) @ directions + 0.1 * random.normal(0, 1, (count, FEATURES)) + shift
    maps = [random.normal(0, 1, (count, side, side, channels)) for side, channels in ((8, 3), (4, 6))]
    values = random.normal(2, 1, count)
    return Hidden(*(tf.constant(part, tf.float32) for part in (values, features)), [tf.constant(m, tf.float32) for m in maps])


def fitted(count=600, most_normals=200, batch=100, seed=0):
    parts = [hidden(i, batch) for i in range(count // batch)]
    return normality.fit(lambda i: parts[i], range(len(parts)), most_normals, seed), parts


def test_typical_images_are_at_their_expectations():
    """The mean squares within and outside the components are 1; at a place it is the root of chi^2 of 3, divided by 3."""
    known, _ = fitted(count=6000)
    found = {name: values.numpy() for name, values in known.terms(hidden(77, 1000)).items()}
    assert set(found) == {"feature_density", "feature_outside", "nearest_normals", "place_density", "critic_distance"}
    assert found["feature_density"].mean() == pytest.approx(1.0, abs=0.1)
    # Among equal directions, those left out are the ones that varied least by chance.
    assert found["feature_outside"].mean() == pytest.approx(1.0, abs=0.15)
    assert found["place_density"].mean() == pytest.approx(np.sqrt(8 / np.pi) / np.sqrt(3), abs=0.02)
    assert found["critic_distance"].mean() == pytest.approx(np.sqrt(2 / np.pi), abs=0.1)


def test_little_outside_the_components_is_measured_precisely():
    """Where nearly all of a long vector lies inside: other runtimes sum in another order, and have to come to the same score."""
    known, _ = fitted()
    some = hidden(5, 7)
    along = np.random.default_rng(1).normal(0, 300, (7, 10)) @ known.components[:10].astype(np.float64)
    some = some._replace(features=tf.constant(1000 + some.features.numpy() + along, tf.float32))
    known = dataclasses.replace(known, mean=known.mean + np.float32(1000))
    centred = some.features.numpy().astype(np.float64) - known.mean
    left = centred - centred @ known.components.T.astype(np.float64) @ known.components
    expected = np.square(left).sum(1) / ((FEATURES - len(known.components)) * known.outside)
    assert (np.square(left).sum(1) < 1e-4 * np.square(centred).sum(1)).all()
    np.testing.assert_allclose(known.terms(some)["feature_outside"], expected, rtol=1e-3)


def test_by_numpy():
    known, parts = fitted()
    some = hidden(5, 7, shift=3.0)
    found = known.terms(some)
    centred = np.maximum(some.features.numpy(), 0) - known.mean
    inside = centred @ known.components.T
    whitened = inside / known.deviations
    np.testing.assert_allclose(found["feature_density"], np.square(whitened).mean(1), rtol=1e-3)
    left = np.square(centred - inside @ known.components).sum(1) / (FEATURES - 64)
    np.testing.assert_allclose(found["feature_outside"], left / known.outside, rtol=1e-2)
    distances = np.linalg.norm(whitened[:, None] - known.normals[None], axis=2)
    np.testing.assert_allclose(found["nearest_normals"], np.sort(distances, 1)[:, :5].mean(1), rtol=1e-2)
    middle = np.median(np.concatenate([part.values for part in parts]))
    np.testing.assert_allclose(found["critic_distance"], np.abs(some.values - middle), rtol=1e-5)
    # The map of places is the last but one.
    maps = np.concatenate([part.maps[0] for part in parts])
    shift = some.maps[0].numpy() - maps.mean(0)
    covariance = np.einsum("bhwc,bhwd->hwcd", maps - maps.mean(0), maps - maps.mean(0)) / len(maps)
    mean_variance = np.trace(covariance, axis1=2, axis2=3)[..., None, None] / 3
    shrunk = 0.95 * covariance + 0.05 * mean_variance * np.eye(3)
    squares = np.einsum("bhwc,hwcd,bhwd->bhw", shift, np.linalg.inv(shrunk), shift)
    np.testing.assert_allclose(known.places(some), np.sqrt(squares / 3), rtol=1e-3)
    np.testing.assert_allclose(found["place_density"], np.sqrt(squares / 3).mean((1, 2)), rtol=1e-3)


def test_what_is_far_off_scores_higher():
    known, _ = fitted()
    near, far = known.terms(hidden(77, 50)), known.terms(hidden(78, 50, shift=5.0))
    for name in ("feature_density", "feature_outside", "nearest_normals"):
        assert far[name].numpy().min() > near[name].numpy().max() or far[name].numpy().mean() > 2 * near[name].numpy().mean(), (
            name
        )


def test_negative_features_count_as_nothing():
    known, _ = fitted()
    some = hidden(5, 4)
    lower = some._replace(features=tf.where(some.features < 15.0, -50.0, some.features))
    zero = some._replace(features=tf.where(some.features < 15.0, 0.0, some.features))
    for name, values in known.terms(lower).items():
        np.testing.assert_array_equal(values, known.terms(zero)[name], err_msg=name)


def test_memory_is_bounded():
    known, _ = fitted(most_normals=50)
    assert known.normals.shape == (50, 64) and known.components.shape == (64, FEATURES)


def test_few_normals_and_wide_maps():
    """No more components than a quarter of the normals, and more channels than are kept."""
    random = np.random.default_rng(0)
    maps = [tf.constant(random.normal(0, 1, (9, side, side, channels)), tf.float32) for side, channels in ((4, 100), (2, 8))]
    some = Hidden(tf.constant(random.normal(0, 1, 9), tf.float32), tf.constant(random.random((9, 32)), tf.float32), maps)
    known = normality.fit(lambda _: some, [0], 2000, seed=0)
    assert known.components.shape == (2, 32) and known.rotation.shape == (100, 64) and known.normals.shape == (9, 2)
    np.testing.assert_allclose(known.rotation.T @ known.rotation, np.eye(64), atol=1e-5)
    assert all(np.isfinite(values).all() for values in known.terms(some).values())


def test_a_place_without_spread():
    """A corner that is always the same is no reason for infinite distances."""
    random = np.random.default_rng(0)
    maps = random.normal(0, 1, (50, 4, 4, 2)).astype(np.float32)
    maps[:, 0, 0] = 7.0
    some = Hidden(tf.zeros(50), tf.constant(random.random((50, 5)), tf.float32), [tf.constant(maps), tf.zeros((50, 2, 2, 1))])
    known = normality.fit(lambda _: some, [0], 10, seed=0)
    assert np.isfinite(known.places(some)).all() and known.places(some).numpy()[:, 0, 0].max() < 1e-3
    assert known.terms(some)["critic_distance"].numpy().max() == 0.0


def test_same_seed_same_description():
    one, other, third = (fitted(count=200, most_normals=20, seed=seed)[0] for seed in (0, 0, 1))
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(values, other.arrays()[name], err_msg=name)
    assert not np.array_equal(one.normals, third.normals)


def test_halves():
    one, other = hidden(0, 3), hidden(1, 3)
    joined = Hidden(
        tf.concat([one.values, other.values], 0),
        tf.concat([one.features, other.features], 0),
        [tf.concat(pair, 0) for pair in zip(one.maps, other.maps, strict=True)],
    )
    for found, expected in zip(joined.halves(), (one, other), strict=True):
        np.testing.assert_array_equal(found.values, expected.values)
        np.testing.assert_array_equal(found.features, expected.features)
        for a, b in zip(found.maps, expected.maps, strict=True):
            np.testing.assert_array_equal(a, b)


def test_few_images_are_told_of():
    assert fitted(count=600)[0].few() == ""
    said = fitted(count=100)[0].few()
    assert "described by 25 of the 96 directions" in said and "with 256 or more images it would be 64" in said
