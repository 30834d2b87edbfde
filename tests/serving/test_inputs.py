"""A detector that takes more than images: its export, the loaded model, and REST go through all of its inputs."""

import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.detection.detector import Detector
from fanogan_tf.detection.scoring import score_rows
from fanogan_tf.errors import UserError
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.serving import rest, saved_model
from fanogan_tf.serving.export import export
from tests.helpers.served_models import b64, png

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (5, 6, 4, 1), np.uint8)
REGIONS = (RANDOM.random((5, 6, 4, 1)) < 0.5).astype(np.uint8)


class BrightnessInside(Detector):
    """The mean brightness inside the region."""

    KIND = "brightness_inside"
    NETWORKS = {}
    INPUTS = ("image", "region")
    RESTORES = False

    def compute(self, images, regions):
        return {"score": tf.reduce_sum(images * regions, (1, 2, 3)) / tf.maximum(tf.reduce_sum(regions, (1, 2, 3)), 1.0)}


def expected():
    values = IMAGES / 127.5 - 1.0
    return np.array([values[i][REGIONS[i] > 0].mean() for i in range(5)])


def image_set(regions=REGIONS):
    names = np.array([str(i) for i in range(5)])
    return ImageSet(IMAGES, np.zeros(5, np.int32), names, names, regions=regions)


@pytest.fixture(scope="module")
def detector():
    calibration = calibrate(np.linspace(-1, 1, 20), "quantile", 0.05)
    return BrightnessInside(NetworkSpec((6, 4, 1), 1, 1), calibration=calibration)


@pytest.fixture(scope="module")
def served(detector, tmp_path_factory):
    return saved_model.load(export(detector, tmp_path_factory.mktemp("two")))


def test_scores_come_of_both(detector):
    rows = list(score_rows(detector, image_set(), 2))
    np.testing.assert_allclose([row["score"] for row in rows], expected(), rtol=1e-5)


def test_images_without_regions_are_refused(detector):
    with pytest.raises(UserError, match="needs a region for every image"):
        list(score_rows(detector, image_set(regions=None), 2))
    with pytest.raises(UserError, match="takes image, region"):
        detector.score(IMAGES)


def test_the_export_takes_both(detector, served):
    assert served.INPUTS == ("image", "region")
    assert {name: set(specs) for name, specs in served.inputs.items()} == {
        "serving_default": {"image", "region"},
        "serving_bytes": {"image_bytes", "region_bytes"},
        "serving_rate": {"image", "region", "false_positive_rate"},
    }
    np.testing.assert_allclose(served(IMAGES, REGIONS)["score"], expected(), rtol=1e-5)
    files = ([png(image) for image in IMAGES], [png(region * 255) for region in REGIONS])
    np.testing.assert_allclose(served.from_bytes(*files)["score"], expected(), rtol=1e-5)
    assert "scores differ by at most 0" in saved_model.compare(detector, served, image_set(), 3)
    assert (served.path / "assets.extra" / "tf_serving_warmup_requests").is_file()


def test_rest(served):
    instances = [{"image": image.tolist(), "region": region.tolist()} for image, region in zip(IMAGES, REGIONS, strict=True)]
    columns = {"image": IMAGES.tolist(), "region": REGIONS.tolist()}
    files = [{"image_bytes": b64(png(i)), "region_bytes": b64(png(r * 255))} for i, r in zip(IMAGES, REGIONS, strict=True)]
    for payload in ({"instances": instances}, {"inputs": columns}, {"instances": files, "signature_name": "serving_bytes"}):
        request = rest.parse(served, payload)
        assert len(request) == 5
        outputs = rest.run(served, request.signature, request.part(slice(0, 5)))
        np.testing.assert_allclose(outputs["score"], expected(), rtol=1e-5)
    for payload, said in (
        ({"instances": [IMAGES[0].tolist()]}, "an instance has no names; the inputs are 'image' and 'region'"),
        ({"instances": [{"image": IMAGES[0].tolist()}]}, "an instance has 'image'; the inputs are 'image' and 'region'"),
        ({"inputs": columns | {"region": REGIONS[:2].tolist()}}, "image, region must be equally many"),
    ):
        with pytest.raises(rest.BadRequest, match=said):
            rest.parse(served, payload)
