"""Every method, trained for seconds on the zeros of scikit-learn's digits, tells the other digits from them."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fanogan_tf import datasets, methods, pipeline
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

pytestmark = pytest.mark.slow

DIGITS = Options(
    dataset="digits",
    normal_class="0",
    image_size="16",
    validation_fraction=0.25,
    dim=8,
    latent_dim=16,
    batch_size=16,
    n_critic=3,
    learning_rate=1e-3,
    encoder_learning_rate=1e-3,
    sample_every=10_000,
)
SETTINGS = {
    "fanogan": {"iterations": 60, "encoder_iterations": 150},
    "iterative": {"iterations": 100, "mapping_steps": 30, "mapping_learning_rate": 0.1},
    "critic": {"iterations": 45, "latent_dim": 8, "batch_size": 16},
    "ae": {"iterations": 150, "dim": 4, "batch_size": 32, "learning_rate": 2e-3},
    "adv_ae": {"iterations": 100, "dim": 4, "batch_size": 32, "n_critic": 1, "learning_rate": 2e-3},
    "ali": {"iterations": 200, "dim": 4, "batch_size": 32},
    "anogan": {"iterations": 200, "batch_size": 32, "mapping_steps": 30, "mapping_learning_rate": 0.05},
    "ganomaly": {"iterations": 150, "batch_size": 32},
    "pca": {},
    "ocsvm": {},
}


def test_no_method_is_forgotten():
    """One needs regions, which digits have not; it has a test of its own."""
    assert SETTINGS.keys() | {"roi_ganomaly"} == METHODS.keys()


@pytest.mark.parametrize("method", SETTINGS)
def test_tells_other_digits_from_zeros(tmp_path, method):
    options = dataclasses.replace(DIGITS, method=method, **SETTINGS[method])
    run = RunDirectory(tmp_path)
    pipeline.train(run, options, "all", overwrite=False)
    test = datasets.load(options, run.cache).test
    # All normal ones, and every tenth of the others.
    chosen = np.union1d(np.flatnonzero(test.labels == 0), np.arange(0, len(test), 10))
    detector = methods.load_detector(run.detector)
    measured = detector.measure(test.float_images(chosen))
    assert np.isfinite(measured["score"]).all()
    assert roc_auc_score(test.labels[chosen], measured["score"]) > 0.8
    assert ("residual" in measured) == ("reconstruction" in measured) == detector.RESTORES
    assert set(METHODS[method].training_seconds(run)) <= set(METHODS[method].PHASES)
