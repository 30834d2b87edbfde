"""ae, adv_ae and ali from images to a saved detector."""

import dataclasses
import json

import numpy as np
import pytest

from fanogan_tf import methods
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS
from fanogan_tf.methods.ae import AutoencoderDetector
from fanogan_tf.methods.ali import PairDetector
from fanogan_tf.methods.base import network_spec
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.networks.spec import tf_variables
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.checkpointing import Checkpoints, saved_step
from fanogan_tf.training.optimization import Adam

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)
OPTIONS = Options(
    dim=2,
    latent_dim=3,
    batch_size=4,
    iterations=3,
    n_critic=2,
    learning_rate=1e-3,
    adversarial_weight=0.3,
    kappa=0.7,
    seed=3,
    sample_every=3,
)
CASES = {
    "ae": ("autoencoder", AutoencoderDetector, ["interpolation", "restored"]),
    "adv_ae": ("autoencoder", EncoderDetector, ["interpolation", "restored"]),
    "ali": ("ali", PairDetector, ["interpolation", "restored", "samples"]),
}


def image_set(seed, count, shape=SHAPE):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    names = np.array([f"{seed} {i}" for i in range(count)])
    return ImageSet(pixels, np.zeros(count, np.int64), names, names)


SPLITS = Splits(image_set(0, 12), image_set(1, 5), image_set(2, 4))


def train(folder, method, **settings):
    run, options = RunDirectory(folder), dataclasses.replace(OPTIONS, method=method, **settings)
    METHODS[method].check(run, options, SPLITS, METHODS[method].PHASES, False)
    with run.locked():
        run.take(options, SPLITS, False)
        METHODS[method].train(run, options, SPLITS, METHODS[method].PHASES)
    return run


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    return request.param, train(tmp_path_factory.mktemp(request.param), request.param)


def test_what_is_left_in_the_run(case):
    method, run = case
    phase, _, sheets = CASES[method]
    assert list(METHODS[method].PHASES) == [phase]
    assert saved_step(run.path / phase / "checkpoints") == 3
    assert sorted(path.name for path in (run.path / phase / "samples").iterdir()) == [f"{name}_000003.png" for name in sheets]
    assert not run.gan.exists() and not run.encoder.exists()
    times = METHODS[method].training_seconds(run)
    assert list(times) == [phase] and times[phase] > 0


def test_the_detector_is_what_was_trained(case):
    method, run = case
    phase, kind, _ = CASES[method]
    detector = methods.load_detector(run.detector)
    assert type(detector) is kind and getattr(detector, "kappa", 0.7) == 0.7
    training = METHODS[method].training(detector.spec, dataclasses.replace(OPTIONS, method=method))
    Checkpoints(training, run.path / phase / "checkpoints").restore()
    for name in kind.NETWORKS:
        for one, other in zip(tf_variables(getattr(detector, name)), tf_variables(training.networks[name]), strict=True):
            np.testing.assert_array_equal(one, other)
    scores = detector.measure(SPLITS.validation.float_images(np.arange(5)))["score"]
    assert json.loads((run.detector / "detector.json").read_text())["calibration"] == detector.calibration.to_json()
    expected = calibrate(scores, OPTIONS.threshold_rule, OPTIONS.false_positive_rate).threshold
    assert detector.calibration.threshold == pytest.approx(expected, rel=1e-5)


def test_settings_reach_the_training():
    spec = network_spec(OPTIONS, SHAPE)
    training = METHODS["adv_ae"].training(spec, OPTIONS)
    assert (training.n_critic, training.penalty, training.adversarial_weight, training.seed) == (2, (10.0, 1), 0.3, 3)
    trainings = [
        METHODS["ae"].training(spec, OPTIONS),
        training,
        METHODS["ali"].training(METHODS["ali"].spec(OPTIONS, SHAPE), OPTIONS),
    ]
    moments = [[(type(o), float(o.learning_rate), o.beta_1, o.beta_2) for o in one.optimizers.values()] for one in trainings]
    adam, rate = Adam, pytest.approx(1e-3)
    assert moments == [[(adam, rate, 0.9, 0.999)], 2 * [(adam, rate, 0.0, 0.9)], 2 * [(adam, rate, 0.5, 0.999)]]
    assert [one.encoder.bound for one in trainings] == ["tanh", "tanh", "linear"]
    assert trainings[2].prior == "normal" and trainings[2].latent_dim == 3
    same, other = METHODS["ae"].training(spec, OPTIONS), METHODS["ae"].training(spec, dataclasses.replace(OPTIONS, seed=4))
    first = [one.encoder.dense.kernel.numpy() for one in (trainings[0], same, other)]
    np.testing.assert_array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])


def test_bodies_are_those_of_fanogan():
    spec = network_spec(OPTIONS, SHAPE)
    encoder, generator, critic = spec.encoder(), spec.generator(), spec.critic()
    for training in (
        METHODS["ae"].training(spec, OPTIONS),
        METHODS["adv_ae"].training(spec, OPTIONS),
        METHODS["ali"].training(spec, OPTIONS),
    ):
        assert type(training.encoder) is type(encoder) and training.encoder.count_params() == encoder.count_params()
        assert type(training.generator) is type(generator) and training.generator.count_params() == generator.count_params()
    assert METHODS["adv_ae"].training(spec, OPTIONS).critic.count_params() == critic.count_params()


def test_same_command_again_trains_nothing(case, capsys):
    method, run = case
    weights = (run.detector / "weights.index").read_bytes()
    train(run.path, method)
    assert f"{CASES[method][0]}: already at iteration 3 of 3" in capsys.readouterr().out
    assert (run.detector / "weights.index").read_bytes() == weights


@pytest.mark.parametrize("method", CASES)
def test_too_few_held_out(method, tmp_path):
    splits = Splits(image_set(0, 12), image_set(1, 1), image_set(2, 4))
    with pytest.raises(UserError, match="at least two held-out"):
        METHODS[method].check(RunDirectory(tmp_path), OPTIONS, splits, METHODS[method].PHASES, False)


@pytest.mark.parametrize("method", CASES)
def test_a_size_that_no_network_makes(method, tmp_path):
    shape = (9, 8, 1)
    splits = Splits(image_set(0, 12, shape), image_set(1, 5, shape), image_set(2, 4, shape))
    with pytest.raises(UserError, match="--image_size"):
        METHODS[method].check(RunDirectory(tmp_path), OPTIONS, splits, METHODS[method].PHASES, False)


def test_adv_ae_needs_a_wasserstein_critic(tmp_path):
    with pytest.raises(UserError, match=r"^--network=dcgan: .* take --network=resnet"):
        train(tmp_path, "adv_ae", network="dcgan")


@pytest.mark.parametrize("method", ["ae", "ali"])
def test_with_a_dcgans_generator(method, tmp_path):
    assert methods.load_detector(train(tmp_path, method, network="dcgan").detector).spec.network == "dcgan"
