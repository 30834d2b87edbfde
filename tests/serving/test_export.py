import json

import pytest
import tensorflow as tf

from fanogan_tf.errors import UserError
from fanogan_tf.serving import warmup
from fanogan_tf.serving.export import export, sums
from fanogan_tf.serving.saved_model import CARD, versions
from tests.helpers import served_models as made


@pytest.fixture(scope="module")
def quick():
    """A detector that is exported in no time."""
    return made.detector("pca")


def test_versions_beside_each_other(quick, tmp_path):
    assert export(quick, tmp_path / "m") == tmp_path / "m" / "1"
    assert export(quick, tmp_path / "m", version=12) == tmp_path / "m" / "12"
    assert export(quick, tmp_path / "m") == tmp_path / "m" / "13"
    assert versions(tmp_path / "m") == [1, 12, 13]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["1", "12", "13"]


def test_none_is_written_over(quick, tmp_path):
    before = sums(export(quick, tmp_path, version=3))
    with pytest.raises(UserError, match=r"3: is there already"):
        export(made.detector("pca", seed=1), tmp_path, version=3)
    assert sums(tmp_path / "3") == before and versions(tmp_path) == [3]


def test_one_that_another_process_was_quicker_with_stays(quick, tmp_path, monkeypatch):
    def other_process(path, shape, inputs):
        path.touch()
        (tmp_path / "1").mkdir(exist_ok=True)
        (tmp_path / "1" / "saved_model.pb").write_text("theirs")

    monkeypatch.setattr(warmup, "write", other_process)
    with pytest.raises(UserError, match=r"1: is there already"):
        export(quick, tmp_path)
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "theirs" and len(list(tmp_path.iterdir())) == 1


def test_appears_only_when_complete(quick, tmp_path, monkeypatch):
    def fails(path, shape, inputs):
        assert versions(tmp_path) == []
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warmup, "write", fails)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        export(quick, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_a_file(quick, tmp_path):
    (tmp_path / "m").write_text("mine")
    with pytest.raises(UserError, match=r"--output=.*m: "):
        export(quick, tmp_path / "m")
    assert (tmp_path / "m").read_text() == "mine"


def test_the_card_describes_the_signatures_and_sums_up_the_files(exported, served):
    card = json.loads((exported / "1" / CARD).read_text())
    assert card["signatures"]["serving_default"]["inputs"] == {"image": {"dtype": "float32", "shape": [None, 16, 16, 1]}}
    assert card["signatures"]["serving_default"]["outputs"].keys() == set(served.outputs)
    assert card["signatures"]["serving_bytes"]["inputs"] == {"image_bytes": {"dtype": "string", "shape": [None]}}
    assert card["signatures"]["generate"]["outputs"] == {"generated": {"dtype": "float32", "shape": [None, 16, 16, 1]}}
    assert card["sha256"] == {name: value for name, value in sums(exported / "1").items() if name != CARD}
    assert {"saved_model.pb", "variables/variables.index"} < card["sha256"].keys()


def test_every_variable_is_stored_once(detector, exported):
    stored = tf.train.list_variables(str(exported / "1" / "variables" / "variables"))
    networks = [variable for name in detector.NETWORKS for variable in getattr(detector, name).variables]
    assert sum(len(shape) > 0 for _, shape in stored) == sum(len(variable.shape) > 0 for variable in networks)
