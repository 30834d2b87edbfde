import numpy as np

from fanogan_tf import methods
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.methods import METHODS
from fanogan_tf.methods import critic as method
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory

SPEC = NetworkSpec((8, 8, 1), dim=2, latent_dim=3)


def images(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    names = np.array([str(i) for i in range(count)])
    return ImageSet(pixels, np.zeros(count, np.int64), names, names)


def test_chosen_at_random_by_the_seed():
    some = images(50)
    one, again, other = (method.chosen(some, seed, most=20) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    for indices in (one, other):
        assert len(np.unique(indices)) == 20 and indices.max() < 50 and np.all(np.diff(indices) > 0)
    assert len(np.union1d(one, other)) > 25
    assert method.MEAN_OVER == 32_000


def test_all_where_there_are_fewer():
    np.testing.assert_array_equal(method.chosen(images(50), 0), np.arange(50))


def test_values_are_the_critics():
    critic, some = SPEC.critic(), images(11)
    indices = np.array([1, 3, 4, 9, 10])
    values = method.critic_values(SPEC, critic, some, indices, batch_size=2)
    expected = critic(some.images[indices] / np.float32(127.5) - 1)[0]
    assert np.std(values) > 0
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


def test_a_run_scores_by_the_mean_over_its_training_images(tmp_path):
    """A_D = m - D(x); held-out and test images have no say in m."""
    options = Options(method="critic", dim=2, latent_dim=3, batch_size=4, n_critic=1, iterations=2)
    splits, run = Splits(images(12), images(5), images(4)), RunDirectory(tmp_path)
    METHODS["critic"].train(run, options, splits, ("gan",))
    detector = methods.load_detector(run.detector)
    values = detector.critic(splits.train.float_images(np.arange(12)))[0].numpy().astype(np.float64)
    np.testing.assert_allclose(detector.mean, np.mean(values), rtol=1e-4, atol=1e-6)
    assert abs(np.mean(values) - np.mean(values[:5])) > 1e-3  # The first five are the held-out ones as well.
    x = splits.test.float_images(np.arange(4))
    np.testing.assert_allclose(detector.measure(x)["paper_score"], np.mean(values) - detector.critic(x)[0], rtol=1e-4, atol=1e-6)
