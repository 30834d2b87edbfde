import pytest

from fanogan_tf import methods
from tests.helpers.commands import TINY, fail, succeed

pytestmark = pytest.mark.slow


def test_a_phase_that_is_the_last_calibrates(tmp_path):
    """Whatever it is called, and also where the method is the run's and not given again."""
    folder = tmp_path / "r"
    said = succeed("train", *TINY, "--method=ae", f"--run_dir={folder}", "--phase=autoencoder")
    assert f"fanogan score --run_dir={folder}" in said
    before = methods.load_detector(folder / "detector").calibration.threshold
    succeed("train", f"--run_dir={folder}", "--phase=autoencoder", "--false_positive_rate=0.3")
    assert methods.load_detector(folder / "detector").calibration.threshold < before


def test_a_phase_that_is_not_does_not(tmp_path):
    folder = tmp_path / "r"
    said = succeed("train", *TINY, f"--run_dir={folder}", "--phase=gan")
    assert f"fanogan train --phase=encoder --run_dir={folder}" in said
    assert "--false_positive_rate" in fail("train", f"--run_dir={folder}", "--phase=gan", "--false_positive_rate=0.3")
