import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.detection.latent_search import LAST_STEP, map_to_latent, nearest_start, random_start
from fanogan_tf.networks.latent import key
from fanogan_tf.networks.spec import NetworkSpec, tf_variables
from fanogan_tf.training.losses import mean_square

SPEC = NetworkSpec((8, 8, 1), dim=2, latent_dim=3)
FLAT = np.array([[1.0, -2.0, 0.5, 0.3], [0.2, 0.4, -1.0, 2.0]], np.float32)  # A linear generator: z (B, 2) -> (B, 4).


def flat_generator(z, training):
    assert training is False
    return z @ FLAT


def to(targets):
    """The mean square distance to `targets` (B, ...)."""
    targets = tf.constant(targets, tf.float32)
    return lambda restored: mean_square(targets - restored)


def trained_like(network, seed):
    """With weights of `seed` alone, far from first ones, and moving averages that are not 0 and 1."""
    random = np.random.default_rng(seed)
    for variable in tf_variables(network):
        variable.assign(random.normal("gamma" in variable.name, 0.4, variable.shape))
        if "variance" in variable.name:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return network


@pytest.fixture(scope="module")
def generator():
    return trained_like(SPEC.generator(), 1)


def in_graph(generator, loss_of, images, z0, **settings):
    """As a detector does it: in a function of any batch size."""

    @tf.function(input_signature=[tf.TensorSpec((None, *images.shape[1:])), tf.TensorSpec((None, z0.shape[1]))])
    def mapped(images, z0):
        return map_to_latent(generator, loss_of(images), z0, **settings)

    return mapped(tf.constant(images, tf.float32), tf.constant(z0, tf.float32))


def numpy_adam(targets, z, steps, rate, clipping, seed):
    """All z on the way, z0 first: (steps + 1, B, 2)."""
    z, mean, square = z.astype(np.float64), 0.0, 0.0
    way = [z]
    for step in range(steps):
        gradient = -2.0 / FLAT.shape[1] * (targets - z @ FLAT) @ FLAT.T
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        size = rate
        if clipping == "projected":
            size = rate * (LAST_STEP + (1 - LAST_STEP) * (1 + np.cos(np.pi * step / max(steps - 1, 1))) / 2)
        z = z - size * (mean / (1 - 0.9 ** (step + 1))) / (np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-8)
        if clipping == "projected":
            z = np.clip(z, -1.0, 1.0)
        if clipping == "stochastic":
            outside = np.abs(z) > 1.0
            redrawn = tf.random.stateless_uniform([2], key(seed, 1, step), -1.0, 1.0).numpy()
            z, mean = np.where(outside, redrawn, z), np.where(outside, 0.0, mean)
        way.append(z)
    return np.array(way)


@pytest.mark.parametrize(
    ("clipping", "steps"),
    [*(("none", n) for n in (0, 1, 2, 7)), *((kind, n) for kind in ("stochastic", "projected") for n in (1, 7, 40))],
)
def test_adam_in_numpy(clipping, steps):
    random = np.random.default_rng(0)
    # The middle image wants its z far outside.
    targets = random.uniform(-1, 1, (3, 2)) * np.array([[0.8], [9.0], [0.8]]) @ FLAT + random.normal(0, 0.1, (3, 4))
    z0 = random.uniform(-1, 1, (3, 2)).astype(np.float32)
    found = map_to_latent(flat_generator, to(targets), z0, steps=steps, learning_rate=0.1, seed=3, clipping=clipping)
    way = numpy_adam(targets, z0, steps, 0.1, clipping, seed=3)
    losses = np.mean((targets - way @ FLAT) ** 2, axis=-1)
    best = losses.argmin(axis=0)
    np.testing.assert_allclose(found.z, way[best, range(3)], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.loss, losses.min(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(found.steps, [steps] * 3)
    if clipping == "projected" and steps == 40:
        assert np.abs(way[-1, 1]).max() == 1.0, "nothing stopped at the border"
    if clipping == "stochastic" and steps == 40:
        assert np.any(np.abs(np.diff(way[:, 1], axis=0)) > 0.3), "nothing was redrawn"


def test_more_steps_less_loss(generator):
    images = generator(np.random.default_rng(0).uniform(-1, 1, (6, 3)).astype(np.float32), training=False).numpy()
    z0 = random_start(6, 3, seed=1)
    losses = [in_graph(generator, to_images, images, z0, steps=n, learning_rate=0.05).loss.numpy() for n in (0, 5, 60)]
    np.testing.assert_allclose(losses[0], mean_square(images - generator(z0, training=False)), rtol=1e-5)
    assert np.all(np.diff(losses, axis=0) <= 0)
    assert np.all(losses[-1] < 0.3 * losses[0])


def to_images(images):
    return lambda restored: mean_square(images - restored)


def test_recovers_generated_images(generator):
    z = np.random.default_rng(2).uniform(-0.9, 0.9, (8, 3)).astype(np.float32)
    images = generator(z, training=False).numpy()
    found = in_graph(generator, to_images, images, random_start(8, 3, seed=0), steps=200, learning_rate=0.05)
    random = np.random.default_rng(3).uniform(-1, 1, (50, 8, 3)).astype(np.float32)
    by_chance = np.mean([mean_square(images - generator(one, training=False)) for one in random], axis=0)
    assert np.all(found.loss < 0.1 * by_chance)
    np.testing.assert_allclose(found.loss, mean_square(images - generator(found.z, training=False)), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("patience", [0, 5])
def test_neighbours_change_nothing(generator, patience):
    """Neither their number nor what they are, not even one that is broken."""
    images = np.random.default_rng(4).uniform(-1, 1, (5, 8, 8, 1)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1))])
    def mapped(images):
        start = random_start(tf.shape(images)[0], 3, seed=0)
        return map_to_latent(generator, to_images(images), start, steps=60, learning_rate=0.1, seed=2, patience=patience)

    together = mapped(images)
    assert np.std(together.z, axis=0).min() > 0
    order = [3, 1, 4, 0, 2]
    shuffled = mapped(images[order])
    broken = mapped(np.concatenate([np.full((1, 8, 8, 1), np.nan, np.float32), images]))
    alone = [mapped(images[i : i + 1]) for i in range(5)]
    for name in ("z", "loss", "steps"):
        expected = getattr(together, name).numpy()
        for other in (
            np.concatenate([getattr(one, name) for one in alone]),
            getattr(shuffled, name).numpy()[np.argsort(order)],
            getattr(broken, name).numpy()[1:],
        ):
            np.testing.assert_allclose(other, expected, rtol=1e-3, atol=1e-4, err_msg=name)


def test_clipping_keeps_all_coordinates_in_range():
    seen = []

    def generator(z, training):
        seen.append(z.numpy())
        return z @ FLAT

    targets = np.array([[30.0, -50.0, 1.0, 9.0], [-8.0, 9.0, 20.0, -40.0]])
    z0 = [[3.0, -4.0], [0.5, -0.5]]
    found = map_to_latent(generator, to(targets), z0, steps=100, learning_rate=0.2)
    assert np.abs(seen).max() <= 1.0 and np.abs(found.z).max() <= 1.0
    np.testing.assert_array_equal(seen[0], [[1.0, -1.0], [0.5, -0.5]])
    # Redrawn over the whole range, and again each time.
    assert np.std(seen) > 0.2 and len({z[0, 0] for z in seen}) > 20
    unclipped = map_to_latent(generator, to(targets), z0, steps=100, learning_rate=0.2, clipping="none")
    assert np.abs(unclipped.z).min() > 1.0


def test_redrawing_depends_on_seed_and_coordinate_not_on_the_image():
    def after_one(seed):
        return map_to_latent(flat_generator, loss, tf.constant([[0.9, 0.9]] * 4), steps=1, learning_rate=0.5, seed=seed).z.numpy()

    # Straight uphill in both coordinates, and the lower the farther from (0.9, 0.9): the redrawn z is the best.
    def loss(restored):
        z = restored @ tf.constant(np.linalg.pinv(FLAT), tf.float32)
        return 10.0 - tf.reduce_sum(z, axis=1) + tf.where(tf.reduce_sum(z, axis=1) > 1.79, 100.0, 0.0)

    first, again, other = after_one(0), after_one(0), after_one(1)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, np.tile(first[:1], (4, 1)))
    assert first[0, 0] != first[0, 1] and not np.any(first == other)
    np.testing.assert_array_equal(first[0], tf.random.stateless_uniform([2], key(0, 1, 0), -1.0, 1.0))


def test_generator_is_unchanged(generator):
    before = [variable.numpy() for variable in tf_variables(generator)]
    images = np.random.default_rng(5).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
    in_graph(generator, to_images, images, random_start(3, 3, seed=0), steps=10, learning_rate=0.1)
    for one, other in zip(before, tf_variables(generator), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_best_is_kept():
    """Steps far too long: wherever they lead, nothing is lost."""
    targets = np.array([[0.1, -0.2, 0.05, 0.03], [0.02, 0.04, -0.1, 0.2]])
    found = map_to_latent(
        flat_generator, to(targets), np.array([[0.1, 0.001], [0.001, 0.1]], np.float32), steps=5, learning_rate=0.9
    )
    np.testing.assert_allclose(found.loss, to(targets)(found.z @ FLAT), rtol=1e-5)
    assert np.all(found.loss < 1e-4)


def test_patience_image_by_image():
    """One is where it should be and waits no longer than it must; the other has a long way to go."""
    targets = np.array([[0.3, 0.4], [0.9, 0.9]]) @ FLAT
    z0 = np.array([[0.3, 0.4], [-0.9, -0.9]], np.float32)
    z0[0, 0] += 1e-6

    def mapped(**settings):
        return map_to_latent(flat_generator, to(targets), z0, steps=100, learning_rate=0.02, **settings)

    found, forever = mapped(patience=4), mapped()
    assert found.steps[0] == 4 and 80 < found.steps[1] <= 100
    np.testing.assert_array_equal(forever.steps, [100, 100])
    np.testing.assert_allclose(found.z[1], forever.z[1], atol=1e-3)
    # A share that no single update reaches ends it at once; steps that reach it together do not.
    assert mapped(patience=1, tolerance=0.9).steps[1] == 1
    assert mapped(patience=4, tolerance=0.06).steps[1] > 20


def test_loss_of_sums_goes_the_same_way():
    """AnoGAN's losses are sums: the step size means the same."""
    targets = tf.constant([[0.7, 0.1, -0.6, 0.8]])
    z0 = np.array([[-0.5, 0.5]], np.float32)
    by_mean, by_sum = (
        map_to_latent(flat_generator, loss, z0, steps=30, learning_rate=0.05)
        for loss in (to(targets), lambda restored: 1000.0 * to(targets)(restored))
    )
    np.testing.assert_allclose(by_mean.z, by_sum.z, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(1000.0 * by_mean.loss, by_sum.loss, rtol=1e-3)


def test_projected_search_settles_where_stochastic_clipping_does_not():
    """Half of the coordinates want to be outside: at the border they stay, redrawn they walk back for ever."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(40, 80)).astype(np.float32)
    targets = random.choice([-1.5, 0.5], (6, 40)) @ matrix
    z0 = random.uniform(-1, 1, (6, 40)).astype(np.float32)

    def lost(**settings):
        return map_to_latent(lambda z, training: z @ matrix, to(targets), z0, steps=200, **settings).loss.numpy()

    assert np.all(lost(clipping="projected", learning_rate=0.1) < 0.5 * lost(clipping="stochastic", learning_rate=0.02))


def test_nearest_start(generator):
    """The best of 512, image by image; neighbours do not count."""
    z = tf.clip_by_value(tf.random.stateless_normal([512, 3], key(7, 2)), -1.0, 1.0)
    samples = generator(z, training=False).numpy()
    images = np.random.default_rng(6).uniform(-1, 1, (5, 8, 8, 1)).astype(np.float32)
    distances = np.square(images[:, None] - samples[None]).sum(axis=(2, 3, 4))
    best = distances.argmin(axis=1)
    assert len(set(best)) > 1
    np.testing.assert_array_equal(nearest_start(generator, images, 3, "normal", 7), z.numpy()[best])
    np.testing.assert_array_equal(nearest_start(generator, images[2:3], 3, "normal", 7), z.numpy()[best[2:3]])
    itself = nearest_start(generator, samples[100:101], 3, "normal", 7).numpy()
    np.testing.assert_allclose(itself, z.numpy()[100:101], atol=1e-6)


def test_random_start():
    start = random_start(5, 200, seed=0).numpy()
    assert start.shape == (5, 200) and start.min() >= -1 and start.max() <= 1 and abs(np.std(start) - 3**-0.5) < 0.05
    np.testing.assert_array_equal(start, np.tile(start[:1], (5, 1)))
    np.testing.assert_array_equal(start[:2], random_start(2, 200, seed=0))
    assert not np.any(start[0] == random_start(1, 200, seed=1)[0])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_lowers_the_loss_too(generator, precision):
    low = NetworkSpec((8, 8, 1), dim=2, latent_dim=3, precision=precision).generator()
    low.set_weights(generator.get_weights())
    images = generator(np.random.default_rng(0).uniform(-1, 1, (6, 3)).astype(np.float32), training=False).numpy()
    z0 = random_start(6, 3, seed=1)
    # So little for each pixel that float16 rounds it to nothing, unscaled.
    losses = [
        in_graph(low, lambda images: lambda one: 3e-6 * mean_square(images - one), images, z0, steps=n, learning_rate=0.05).loss
        for n in (0, 60)
    ]
    assert losses[1].dtype == tf.float32
    assert np.all(losses[1] < 0.5 * losses[0])
