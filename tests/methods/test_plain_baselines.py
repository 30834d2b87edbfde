import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fanogan_tf import datasets, methods, pipeline
from fanogan_tf.data.image_set import Splits
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

BASELINES = ("pca", "ocsvm")


def options_of(method, **changes):
    return Options(method=method, dataset="digits", normal_class="0", latent_dim=16, **changes)


@pytest.fixture(scope="module", params=BASELINES)
def fitted_run(request, tmp_path_factory):
    run, options = RunDirectory(tmp_path_factory.mktemp(request.param)), options_of(request.param)
    pipeline.train(run, options, "all", overwrite=False)
    return run, options


def test_tells_digits_apart(fitted_run):
    run, options = fitted_run
    test = datasets.load(options, run.cache).test
    scores = methods.load_detector(run.detector).measure(test.float_images(np.arange(len(test))))["score"]
    assert roc_auc_score(test.labels, scores) > 0.97


def test_its_one_phase(fitted_run):
    run, options = fitted_run
    method = METHODS[options.method]
    assert method.PHASES == ("fit",)
    assert method.training_seconds(run).keys() == {"fit"} and method.training_seconds(run)["fit"] > 0
    with pytest.raises(UserError, match="--phase=gan"):
        pipeline.train(run, options, "gan", overwrite=False)


def test_calibrated_anew_without_a_new_fit(fitted_run, monkeypatch):
    run, options = fitted_run
    before, seconds = methods.load_detector(run.detector), METHODS[options.method].training_seconds(run)
    monkeypatch.setattr("fanogan_tf.methods.fitted.flat_images", lambda *_: pytest.fail("fitted again"))
    pipeline.train(run, options_of(options.method, threshold_rule="mean_3sd"), "all", overwrite=False)
    after = methods.load_detector(run.detector)
    assert after.calibration.threshold != before.calibration.threshold
    images = datasets.load(options, run.cache).test.float_images(range(5))
    np.testing.assert_array_equal(after.measure(images)["score"], before.measure(images)["score"])
    assert METHODS[options.method].training_seconds(run) == seconds


@pytest.mark.parametrize("method", BASELINES)
def test_only_so_many_images(method, tmp_path):
    thresholds = []
    for seed in (0, 0, 1):
        run = RunDirectory(tmp_path / f"{len(thresholds)}")
        pipeline.train(run, options_of(method, fit_images=20, seed=seed), "all", overwrite=False)
        thresholds.append(methods.load_detector(run.detector).calibration.threshold)
    assert thresholds[0] == thresholds[1] != thresholds[2]


def test_too_few_images(tmp_path):
    options = options_of("pca")
    splits = datasets.load(options, tmp_path)
    run = RunDirectory(tmp_path / "run")
    for few, message in [
        (Splits(splits.train.take([0]), splits.validation, splits.test), "--method=pca: there is one training image"),
        (Splits(splits.train, splits.validation.take([0]), splits.test), "calibration needs at least two held-out"),
    ]:
        with pytest.raises(UserError, match=message):
            METHODS["pca"].check(run, options, few, ("fit",), False)


@pytest.mark.parametrize("method", BASELINES)
def test_nothing_to_share_between_devices(method, tmp_path):
    with pytest.raises(
        UserError, match=f"^--strategy=mirrored: --method={method} is fitted by one device; leave --strategy out$"
    ):
        pipeline.train(RunDirectory(tmp_path), options_of(method, strategy="mirrored"), "all", overwrite=False)
    assert not list(tmp_path.iterdir())
