"""Which phases of which method may be asked for."""

import dataclasses

import pytest

from fanogan_tf import pipeline
from fanogan_tf.errors import UserError
from fanogan_tf.methods import METHODS
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

# So small that a phase which is not refused ends in a moment, and the test fails instead of training on.
PHASES = {phase for method in METHODS.values() for phase in method.PHASES}
TINY = Options(dim=2, latent_dim=2, batch_size=4, image_size="8", iterations=1, encoder_iterations=1)


@pytest.mark.parametrize(("method", "phase"), [("fanogan", "autoencoder"), ("ae", "gan"), ("ali", "autoencoder")])
def test_phases_of_other_methods_are_refused(method, phase, tmp_path):
    its_own = ", ".join(METHODS[method].PHASES)
    with pytest.raises(UserError, match=rf"^--phase={phase}: --method={method} .*{its_own} \(or all\)$"):
        pipeline.train(RunDirectory(tmp_path), dataclasses.replace(TINY, method=method), phase, overwrite=False)
    assert not list(tmp_path.iterdir())


def test_every_phase_has_its_folder(tmp_path):
    run = RunDirectory(tmp_path)
    assert len({run.phase(phase) for phase in PHASES}) == len(PHASES)
    assert (run.phase("gan"), run.phase("encoder")) == (run.gan, run.encoder) == (tmp_path / "gan", tmp_path / "encoder")
    others = {run.detector, run.cache, run.report}
    assert others.isdisjoint(run.phase(phase) for phase in PHASES)
