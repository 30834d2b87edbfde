"""That the settings which a report shows are those which the recipes read."""

import dataclasses
import sys

import numpy as np
import pytest

from fanogan_tf import pipeline
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.methods import METHODS, fanogan, fitted, gan_phase, joint, settings
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

NAMES = frozenset(field.name for field in dataclasses.fields(Options))
# What networks are made from, read at once for every method; below, in `test_networks`.
OF_THE_NETWORKS = {"network", "dim", "latent_dim", "bound"}
# Of every method, or of the speed alone.
OF_ALL = {"method", "seed", "random_flip", "gan_from", "jit_compile", "steps_per_call", "score_batch_size", "standardise"}
OF_ALL |= {"sharpness", "checkpoint_every", "log_every", "sample_every"}

# Read when the detector is calibrated, which is left out here.
OF_THE_CALIBRATION = {"score", "nearest_normals"}

CASES = [{"method": method} for method in METHODS]
CASES += [{"method": "fanogan", "network": "dcgan"}, {"method": "iterative", "mapping_start": "encoder"}]
CASES += [{"method": "anogan", "anogan_variant": variant} for variant in ("gan_r", "p_d")]
CASES += [{"method": "anogan", "network": "resnet"}, {"method": "roi_ganomaly", "consistency": "l2"}]


read: set[str] = set()


@dataclasses.dataclass(frozen=True)
class Watched(Options):
    """Remembers what was read of it, but by those who read what all networks are made from."""

    def __getattribute__(self, name):
        if name in NAMES and sys._getframe(1).f_code.co_name not in ("network_spec", "network_name"):
            read.add(name)
        return super().__getattribute__(name)


def image_set(count):
    names = np.array([str(i) for i in range(count)])
    pixels = np.random.default_rng(count).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    return ImageSet(pixels, np.zeros(count, np.int64), names, names, regions=np.ones(pixels.shape, bool))


@pytest.fixture
def untrained(monkeypatch):
    """Recipes run through, but no network is trained, restored, calibrated or saved."""
    for module in (gan_phase, fanogan, joint):
        monkeypatch.setattr(module, "run_phase", lambda training, batches, schedule, **settings: batches(0))
    for module in (fitted, gan_phase, joint):
        monkeypatch.setattr(module, "calibrate_and_save", lambda *arguments: None)
    monkeypatch.setattr(gan_phase, "restore_gan", lambda *arguments: None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case.values()))
def test_what_is_shown_is_what_is_read(case, untrained, tmp_path):
    options = Watched(dim=1, latent_dim=2, batch_size=2, **case)
    method = METHODS[case["method"]]
    shown = settings(options).keys()
    read.clear()
    method.train(RunDirectory(tmp_path), options, Splits(image_set(6), image_set(4), image_set(3)), method.PHASES)
    assert read - OF_ALL - OF_THE_NETWORKS == set(shown) - OF_THE_NETWORKS - OF_THE_CALIBRATION


def test_networks():
    shown = {method: settings(Options(method=method)) for method in METHODS}
    for method in ("pca", "ocsvm"):
        assert shown[method] == {"latent_dim": 128, "fit_images": 10_000}
    rest = METHODS.keys() - {"pca", "ocsvm"}
    assert all(shown[method]["dim"] == 64 and shown[method]["latent_dim"] == 128 for method in rest)
    # ALI's encoder is linear whatever is asked for; GANomaly has networks of its own.
    assert {method for method in METHODS if "bound" in shown[method]} == {"fanogan", "ae", "adv_ae"}
    assert "bound" in settings(Options(method="iterative", mapping_start="encoder"))
    networks = {method: shown[method].get("network") for method in rest}
    assert networks == dict.fromkeys(rest, "resnet") | {"anogan": "dcgan", "ganomaly": None, "roi_ganomaly": None}


def test_no_setting_is_of_no_method():
    shown = {name for case in CASES for name in settings(Options(**case))}
    of_some = {name for name in NAMES if name.startswith(("ganomaly_", "anogan_", "mapping_", "encoder_"))}
    assert shown >= of_some and len(of_some) == 14
    assert not shown & OF_ALL


def test_in_the_report():
    facts = pipeline._facts(Options(method="ali", dataset="mnist", normal_class="7", latent_dim=16))
    assert list(facts)[:5] == ["method", "dataset", "normal_class", "image_size", "standardise"]
    assert facts["method"] == "ali" and facts["latent_dim"] == "16" and facts["network"] == "resnet" and facts["seed"] == "0"
    assert not {"bound", "encoder_loss", "encoder_iterations", "n_critic", "anomalous_class"} & facts.keys()
    assert all(type(value) is str for value in facts.values())
    assert facts["sharpness"] == "0.0" and pipeline._facts(Options(sharpness=0.4))["sharpness"] == "0.4"
    facts = pipeline._facts(Options(method="critic", dataset="mnist", normal_class="7", anomalous_class="3"))
    assert facts["anomalous_class"] == "3" and not {"normal_class", "kappa"} & facts.keys()
