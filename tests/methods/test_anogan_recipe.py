import dataclasses

import numpy as np
import pytest

from fanogan_tf import methods
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS, fanogan
from fanogan_tf.methods.anogan import AnoganDetector, DiscriminatorDetector, GanRDetector
from fanogan_tf.methods.base import network_spec
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.methods.gan_phase import gan_training, restore_gan
from fanogan_tf.networks.dcgan import Discriminator
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.gan import Dcgan, WganGp
from fanogan_tf.training.optimization import Adam

pytestmark = pytest.mark.slow

ANOGAN = METHODS["anogan"]

SHAPE = (8, 8, 1)
OPTIONS = Options(
    method="anogan",
    dim=2,
    latent_dim=3,
    batch_size=4,
    iterations=3,
    encoder_iterations=3,
    learning_rate=2e-4,
    mapping_steps=3,
    mapping_learning_rate=0.05,
    anogan_lambda=0.3,
)


def image_set(seed, count):
    images = np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    names = np.array([f"{seed} {i}" for i in range(count)])
    return ImageSet(images, np.zeros(count, np.int64), names, names)


SPLITS = Splits(image_set(0, 12), image_set(1, 5), image_set(2, 4))


def changed(**settings):
    return dataclasses.replace(OPTIONS, **settings)


def trained(folder, options, method=ANOGAN):
    run = RunDirectory(folder)
    method.check(run, options, SPLITS, method.PHASES, False)
    with run.locked():
        run.take(options, SPLITS, False)
        method.train(run, options, SPLITS, method.PHASES)
    return run, methods.load_detector(run.detector)


def test_whose_networks():
    for method in METHODS:
        assert network_spec(changed(method=method), SHAPE).network == ("dcgan" if method == "anogan" else "resnet")
    for network in ("resnet", "dcgan"):
        assert network_spec(changed(network=network), SHAPE).network == network
        assert network_spec(changed(method="fanogan", network=network), SHAPE).network == network


def test_each_networks_own_training():
    for network, kind, betas in (("dcgan", Dcgan, (0.5, 0.999)), ("resnet", WganGp, (0.0, 0.9))):
        options = changed(network=network)
        gan = gan_training(network_spec(options, SHAPE), options)
        assert type(gan) is kind and gan.n_critic == (1 if network == "dcgan" else options.n_critic)
        assert gan.prior == network_spec(options, SHAPE).prior
        for optimizer in gan.optimizers.values():
            assert type(optimizer) is Adam
            assert (optimizer.beta_1, optimizer.beta_2) == betas
            assert float(optimizer.learning_rate) == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("variant", "kind"), [("anogan", AnoganDetector), ("gan_r", GanRDetector), ("p_d", DiscriminatorDetector)]
)
def test_a_run(variant, kind, tmp_path):
    run, detector = trained(tmp_path / "run", changed(anogan_variant=variant))
    assert type(detector) is kind and detector.spec.network == "dcgan" and isinstance(detector.critic, Discriminator)
    if variant != "p_d":
        settings = {name: getattr(detector, name) for name in kind.SETTINGS}
        search = {"steps": 3, "learning_rate": 0.05, "patience": 0, "seed": 0, "clipping": "projected", "start_from": "nearest"}
        assert settings == {"anogan_lambda": 0.3} | search
    assert detector.measure(SPLITS.test.float_images(np.arange(4)))["score"].shape == (4,)
    assert ANOGAN.training_seconds(run)["gan"] > 0
    assert (run.gan / "samples" / "samples_000003.png").is_file()


def test_the_variants_share_one_gan(tmp_path):
    run, detector = trained(tmp_path / "one", OPTIONS)
    other, p_d = trained(tmp_path / "two", changed(anogan_variant="p_d", gan_from=str(run.path)))
    for one, same in zip(detector.critic.get_weights(), p_d.critic.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert not (other.gan / "checkpoints").exists()


def test_f_anogan_on_a_dcgan(tmp_path):
    """Its encoder is a ResNet; the DCGAN is what the phase `gan` left, to the last bit."""
    options = changed(method="fanogan", network="dcgan")
    run, detector = trained(tmp_path / "run", options, METHODS["fanogan"])
    gan = gan_training(network_spec(options, SHAPE), options)
    restore_gan(gan, run, options)
    assert type(detector) is EncoderDetector and isinstance(detector.critic, Discriminator)
    for name in ("generator", "critic"):
        for one, same in zip(getattr(gan, name).get_weights(), getattr(detector, name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, same)
    training = fanogan.encoder_training(gan, detector.spec, options)
    assert training.prior == "uniform"


@pytest.mark.parametrize("variant", ["gan_r", "p_d"])
def test_a_critic_has_no_probability(variant, tmp_path):
    options = changed(anogan_variant=variant, network="resnet")
    with pytest.raises(UserError, match=rf"^--anogan_variant={variant}: needs the probability .* add --network=dcgan$"):
        ANOGAN.check(RunDirectory(tmp_path), options, SPLITS, ANOGAN.PHASES, False)
    ANOGAN.check(RunDirectory(tmp_path), changed(network="resnet"), SPLITS, ANOGAN.PHASES, False)


def test_no_encoder_to_start_from(tmp_path):
    with pytest.raises(UserError, match=r"^--mapping_start=encoder: anogan trains no encoder; leave --mapping_start out$"):
        ANOGAN.check(RunDirectory(tmp_path), changed(mapping_start="encoder"), SPLITS, ANOGAN.PHASES, False)
