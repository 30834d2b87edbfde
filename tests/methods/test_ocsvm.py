import numpy as np
import pytest
from sklearn.svm import OneClassSVM

from fanogan_tf.methods import ocsvm as module
from fanogan_tf.methods.ocsvm import one_class_svm


def rows_of(count, pixels, seed=0):
    random = np.random.default_rng(seed)
    return np.tanh(random.normal(size=(count, 3)) @ random.normal(size=(3, pixels)) / 2).astype(np.float32)


def decision(fit, rows):
    coordinates = (rows - fit["mean"]) @ fit["components"].T if len(fit["components"]) else rows
    squares = np.square(coordinates[:, None] - fit["support_vectors"]).sum(-1)
    return np.exp(-fit["gamma"] * squares) @ fit["weights"] + fit["intercept"]


def test_it_is_scikit_learns():
    rows, others = rows_of(80, 20), rows_of(30, 20, seed=1)
    fit = one_class_svm(rows, most_components=4, seed=0)
    expected = OneClassSVM(kernel="rbf", gamma="scale", nu=0.05).fit(rows).decision_function(others)
    np.testing.assert_allclose(decision(fit, others.astype(np.float64)), expected, atol=1e-6)
    assert fit["components"].shape == (0, 20) and not fit["mean"].any()
    assert {values.dtype for values in map(np.asarray, fit.values())} == {np.dtype(np.float64)}


@pytest.mark.parametrize(("pixels", "reduced"), [(1024, False), (1025, True)])
def test_large_images_are_reduced(pixels, reduced):
    fit = one_class_svm(rows_of(40, pixels), most_components=2, seed=0)
    assert fit["components"].shape == ((2 if reduced else 0), pixels)
    assert fit["support_vectors"].shape[1] == (2 if reduced else pixels)


def test_reduced_is_scikit_learns(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 10)
    rows, others = rows_of(80, 20), rows_of(30, 20, seed=1)
    fit = one_class_svm(rows, most_components=3, seed=0)
    project = lambda some: (some - fit["mean"].astype(np.float32)) @ fit["components"].astype(np.float32).T  # noqa: E731
    assert fit["components"].shape == (3, 20)
    expected = OneClassSVM(kernel="rbf", gamma="scale", nu=0.05).fit(project(rows)).decision_function(project(others))
    np.testing.assert_allclose(decision(fit, others), expected, atol=1e-5)


def test_few_are_outside():
    rows = rows_of(400, 8)
    outside = decision(one_class_svm(rows, 4, 0), rows.astype(np.float64)) < -1e-6
    assert outside.mean() <= 0.06
    assert (decision(one_class_svm(rows, 4, 0), np.full((1, 8), 5.0)) < 0).all()


def test_images_all_alike():
    fit = one_class_svm(np.ones((5, 4), np.float32), 2, 0)
    assert fit["gamma"] == 1.0 and np.isfinite(decision(fit, np.zeros((1, 4)))).all()
