"""What one line of Keras makes, in the hands of the other: runs score the same and go on, models load. Processes of their own."""

import pytest

from benchmarks.lines import OTHER, PYTHONS, crossed, fanogan
from tests.helpers.commands import TINY

pytest.importorskip("tensorflow_addons", reason="run on the line with tensorflow-addons: make test-addons")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(python.exists() for python in PYTHONS.values()), reason="needs both environments: make demo, make test-addons"
    ),
]


@pytest.mark.parametrize("line", PYTHONS)
def test_a_run_and_its_model_on_the_other_line(line, tmp_path):
    run = tmp_path / "run"
    fanogan(line, "train", *TINY, f"--run_dir={run}")
    fanogan(line, "score", f"--run_dir={run}")
    found = crossed(line, run)  # Fails where scores of the SavedModel differ by more than 1e-5, relative.
    assert found["score"]["difference"] <= 1e-5
    assert found["paper_score"]["relative_difference"] <= 1e-5
    assert "all decisions are the same" in found["saved_model"]
    # And it goes on there, with what its optimizers remember.
    more = fanogan(OTHER[line], "train", f"--run_dir={run}", "--encoder_iterations=6")
    assert "GAN: already at iteration 4 of 4" in more and (run / "encoder/checkpoints/step-6.index").is_file()
