import types

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fanogan_tf.errors import UserError
from fanogan_tf.serving import saved_model
from tests.helpers import served_models as made

pytestmark = pytest.mark.slow


class Changed:
    """The model, but for one score."""

    def __init__(self, served, place=0, factor=1.0):
        self._served, self._left, self._factor = served, place, factor
        self.path, self.image_shape, self.card = served.path, served.image_shape, served.card
        self.PROOF = served.PROOF

    def proof(self, images):
        outputs = self._served(images)
        if 0 <= self._left < len(images):
            outputs["score"][self._left] *= self._factor
        self._left -= len(images)
        return outputs


def test_the_same_scores(detector, served):
    test = made.test_set()
    auroc = roc_auc_score(test.labels, served(test.images)["score"])
    line = saved_model.compare(detector, served, test, 100)
    assert line.startswith("1672 test images: ") and line.count(f"{auroc:.6f}") == 2


@pytest.mark.parametrize("factor", [1 + 1e-4, 1 - 1e-4, np.nan])
def test_one_score_that_is_another(detector, served, factor):
    test = made.test_set().take(range(300))
    with pytest.raises(UserError, match=f"more than 1e-05 \\(image {test.names[123]}: ") as caught:
        saved_model.compare(detector, Changed(served, 123, factor), test, 100)
    assert "export the run again" in str(caught.value)


def test_a_difference_within_the_tolerance_is_told(detector, served):
    line = saved_model.compare(detector, Changed(served, 123, 1 + 4e-6), made.test_set().take(range(300)), 100)
    assert 3e-6 < float(line.split("relative ")[1].split(";")[0]) < 5e-6


def test_images_of_another_size(detector):
    other = types.SimpleNamespace(path="m/1", image_shape=(32, 32, 1))
    with pytest.raises(UserError, match="m/1: takes images of 32x32, those of the run are 16x16"):
        saved_model.compare(detector, other, made.test_set(), 100)


def test_one_kind_of_images_has_no_auroc(detector, served):
    test = made.test_set()
    line = saved_model.compare(detector, served, test.take(np.flatnonzero(test.labels == 0)), 100)
    assert "AUROC not defined" in line
