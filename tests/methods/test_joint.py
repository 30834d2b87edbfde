import shutil

import pytest
import tensorflow as tf

from fanogan_tf.training.loop import Schedule, run_phase
from tests.helpers.joint import adversarial, ali, autoencoder
from tests.helpers.tiny import SHAPE, assert_same, state

pytestmark = pytest.mark.slow

GRAPH = tf.function(lambda x: tf.sin(x)).get_concrete_function(tf.TensorSpec((None,))).graph


def train(model, folder, count):
    """Six iterations on batches of `count` images, each a function of its number."""
    run_phase(
        model,
        lambda start: tf.data.Dataset.range(start, tf.int64.max).map(
            lambda number: tf.random.stateless_uniform((count, *SHAPE), tf.stack([number, 5]), -1.0, 1.0)
        ),
        Schedule(6, checkpoint_every=3, log_every=2, sample_every=4),
        name="joint",
        folder=folder,
        sheets={},
        graph=GRAPH,
    )
    return state(model)


@pytest.mark.parametrize(("make", "count"), [(autoencoder, 4), (adversarial, 8), (ali, 4)])
def test_resumed_is_never_stopped(make, count, tmp_path):
    """Bit for bit, as after a crash on the way from the third iteration to the sixth."""
    whole = train(make(), tmp_path / "whole", count)
    shutil.copytree(tmp_path / "whole" / "checkpoints", tmp_path / "broken" / "checkpoints")
    for path in (tmp_path / "broken" / "checkpoints").glob("step-6.*"):
        path.unlink()
    newest = 'model_checkpoint_path: "step-3"\nall_model_checkpoint_paths: "step-3"\n'
    (tmp_path / "broken" / "checkpoints" / "checkpoint").write_text(newest)
    resumed = make()
    # Other first weights, which do not count.
    for network in resumed.networks.values():
        for variable in network.trainable_variables:
            variable.assign(0.5 * variable)
    assert_same(train(resumed, tmp_path / "broken", count), whole)
    assert whole["step"] == [6]
