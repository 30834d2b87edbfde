"""Methods that stand on a WGAN, and `--gan_from`, which lets them share one."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from fanogan_tf import datasets, methods
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS
from fanogan_tf.networks.spec import tf_variables
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.checkpointing import saved_step

pytestmark = pytest.mark.slow

TINY = Options(
    normal_class="0",
    dim=2,
    latent_dim=2,
    batch_size=8,
    n_critic=1,
    iterations=2,
    encoder_iterations=2,
    mapping_steps=2,
    learning_rate=1e-3,
    encoder_learning_rate=1e-3,
    sample_every=1000,
)


@pytest.fixture(scope="module")
def splits():
    return datasets.load(TINY, None)


def train(path, splits, phases=None, overwrite=False, **changes):
    """As pipeline.train does it."""
    run, options = RunDirectory(path), dataclasses.replace(TINY, **changes)
    method = METHODS[options.method]
    phases = phases or method.PHASES
    method.check(run, options, splits, phases, overwrite)
    with run.locked():
        run.take(options, splits, overwrite)
        method.train(run, options, splits, phases)
    return run


@pytest.fixture(scope="module")
def first(splits, tmp_path_factory):
    """A finished run of f-AnoGAN. Nobody may change it."""
    run = train(tmp_path_factory.mktemp("first") / "run", splits)
    before = files_of(run.path)
    yield run
    assert files_of(run.path) == before


def files_of(path):
    return {each: each.stat().st_mtime_ns for each in path.rglob("*") if each.is_file()}


def weights(run, *names):
    detector = methods.load_detector(run.detector)
    return [variable.numpy() for name in names for variable in tf_variables(getattr(detector, name))]


def assert_same(one, other):
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


PAPERS = {"clipping": "stochastic", "start_from": "random"}
MAPPING = {"mapping_steps": 3, "mapping_learning_rate": 0.25, "mapping_patience": 9, "kappa": 0.5}
MAPPING |= {"mapping_start": "random", "mapping_clipping": "stochastic"}


@pytest.mark.parametrize(
    ("method", "changes", "kind", "networks"),
    [
        ("fanogan", {}, "encoder", ("generator", "critic", "encoder")),
        ("iterative", MAPPING, "iterative", ("generator", "critic")),
        ("iterative", {"mapping_start": "encoder"}, "iterative_from_encoder", ("generator", "critic", "encoder")),
        ("critic", {}, "critic", ("critic",)),
    ],
)
def test_takes_the_gan_and_trains_none(first, splits, tmp_path, capsys, method, changes, kind, networks):
    """And an encoder's training does not notice where the GAN came from."""
    run = train(tmp_path / "second", splits, method=method, gan_from=str(first.path), **changes)
    assert not run.gan.exists()
    assert f"GAN: that of {first.path}, at iteration 2" in capsys.readouterr().out
    detector = methods.load_detector(run.detector)
    assert kind == detector.KIND and detector.calibration is not None
    assert_same(weights(run, *networks), weights(first, *networks))
    seconds = METHODS[method].training_seconds(run)
    assert seconds["gan"] == METHODS["fanogan"].training_seconds(first)["gan"] > 0
    assert ("encoder" in seconds) == ("encoder" in networks) == run.encoder.exists()
    if changes == MAPPING:
        found = {name: getattr(detector, name) for name in detector.SETTINGS}
        assert found == {"kappa": 0.5, "steps": 3, "learning_rate": 0.25, "patience": 9, "seed": 0, **PAPERS}


def test_a_gan_of_its_own(first, splits, tmp_path):
    """One phase after the other; the detector comes with the last."""
    settings = {"method": "iterative", "mapping_start": "encoder"}
    run = train(tmp_path / "own", splits, phases=("gan",), **settings)
    assert saved_step(run.gan / "checkpoints") == 2 and not run.detector.exists()
    train(run.path, splits, phases=("encoder",), **settings)
    assert_same(weights(run, "generator", "critic", "encoder"), weights(first, "generator", "critic", "encoder"))


def test_no_encoder_for_a_random_start(first, splits, tmp_path):
    said = refused(tmp_path / "second", splits, phases=("encoder",), method="iterative", gan_from=str(first.path))
    assert said == "--phase=encoder: no encoder is used with --mapping_start=nearest; leave --phase out"


def refused(path, splits, **changes):
    """What a run says that was to take that GAN; it leaves nothing behind."""
    with pytest.raises(UserError) as caught:
        train(path, splits, **changes)
    assert not (path / "flags.txt").exists() and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("method", ["fanogan", "iterative", "critic"])
def test_other_networks(first, splits, tmp_path, method):
    path = tmp_path / "second"
    said = refused(path, splits, method=method, gan_from=str(first.path), dim=3, latent_dim=4)
    details = "dim is 2 there, 3 here, latent_dim is 2 there, 4 here"
    assert said == f"--gan_from={first.path}: for {path}, its GAN is of other networks: {details}; take the same settings"


def test_other_size(first, tmp_path):
    options = dataclasses.replace(TINY, image_size="16")
    said = refused(tmp_path / "second", datasets.load(options, None), gan_from=str(first.path), image_size="16")
    assert "image_shape is (8, 8, 1) there, (16, 16, 1) here" in said


def test_other_settings_of_no_matter(first, splits, tmp_path):
    """What the GAN's weights do not depend on may differ."""
    settings = {"bound": "tanh_3", "folded": False, "mixed_precision": "bfloat16", "seed": 5}
    run = train(tmp_path / "second", splits, method="critic", gan_from=str(first.path), **settings)
    assert_same(weights(run, "critic"), weights(first, "critic"))


@pytest.mark.parametrize("change", [{"normal_class": "1"}, {"split_seed": 1}, {"validation_fraction": 0.3}])
def test_other_images(first, tmp_path, change):
    """Held-out images must not be ones that the GAN was trained on."""
    path = tmp_path / "second"
    said = refused(path, datasets.load(dataclasses.replace(TINY, **change), None), gan_from=str(first.path), **change)
    assert said.startswith(f"--gan_from={first.path}: for {path}, its GAN was made with other images; take the same")


def test_other_number_of_iterations(first, splits, tmp_path):
    said = refused(tmp_path / "second", splits, gan_from=str(first.path), iterations=7)
    assert said.endswith("its GAN is at iteration 2, not 7; say so with --iterations=2")


def test_no_run_or_none_of_use(first, splits, tmp_path):
    path, none = tmp_path / "second", tmp_path / "none"
    assert re.search(rf"^--gan_from={none}: for {path}, there is no run; run", refused(path, splits, gan_from=str(none)))
    assert not none.exists()
    assert "that is the run itself" in refused(path, splits, gan_from=str(path))
    third = train(tmp_path / "third", splits, method="critic", gan_from=str(first.path))
    said = refused(path, splits, gan_from=str(third.path))
    assert said.endswith(f"that run has no GAN of its own; it stands on --gan_from={first.path}: name that one")


def test_the_run_itself_is_not_deleted_by_overwrite(first, splits, tmp_path):
    run = RunDirectory(tmp_path / "r")
    shutil.copytree(first.path, run.path)
    with pytest.raises(UserError, match="that is the run itself"):
        train(run.path, splits, overwrite=True, gan_from=str(run.path))
    assert run.detector.exists()


def taken(run, options, splits):
    """As `train`, but for the training."""
    with run.locked():
        run.take(options, splits, False)


def test_unfinished(first, splits, tmp_path):
    source = RunDirectory(tmp_path / "first")
    shutil.copytree(first.path, source.path)
    taken(source, dataclasses.replace(TINY, iterations=3), splits)
    said = refused(tmp_path / "second", splits, gan_from=str(source.path), iterations=3)
    assert said.endswith("its GAN is at iteration 2 of 3; train it to its end first")
    shutil.rmtree(source.gan)
    assert "its GAN is at iteration 0 of 3" in refused(tmp_path / "second", splits, gan_from=str(source.path), iterations=3)


def test_gan_trained_on_under_an_encoder(first, splits, tmp_path):
    source, run = RunDirectory(tmp_path / "source"), RunDirectory(tmp_path / "second")
    shutil.copytree(first.path, source.path)
    shutil.copytree(first.encoder, run.encoder)
    stands = dataclasses.replace(TINY, gan_from=str(source.path))
    taken(run, stands, splits)
    check(run, stands, splits)
    # The other run's GAN goes on.
    for file in (source.gan / "checkpoints").iterdir():
        text = file.read_text() if file.name == "checkpoint" else None
        file.rename(file.with_name(file.name.replace("step-2", "step-3")))
        if text:
            file.write_text(text.replace("step-2", "step-3"))
    taken(source, dataclasses.replace(TINY, iterations=3), splits)
    with pytest.raises(UserError, match=r"at iteration 3, not 2; say so with --iterations=3$"):
        check(run, stands, splits)
    stands = dataclasses.replace(stands, iterations=3)
    with pytest.raises(UserError, match=r"the encoder in .*second.* was trained against the GAN at iteration 2; to train"):
        check(run, stands, splits)
    check(run, stands, splits, overwrite=True)


def check(run, options, splits, overwrite=False):
    METHODS[options.method].check(run, options, splits, METHODS[options.method].PHASES, overwrite)
