import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from fanogan_tf.data import organ
from fanogan_tf.data.pixels import resize
from fanogan_tf.detection import regions
from fanogan_tf.detection.regions import Front, Limits, RegionFinder, cleaned, pieces, shape_of

ROUND = np.ones((3, 3))


def blobs(seed, count=6, side=40):
    """Masks of many pieces of winding shapes."""
    noise = np.random.default_rng(seed).normal(size=(count, side, side))
    return ndimage.gaussian_filter(noise, (0, 1.5, 1.5)) > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_pieces_are_those_of_scipy(seed):
    masks = blobs(seed)
    ours = pieces(tf.constant(masks)).numpy()
    for mine, mask in zip(ours, masks, strict=True):
        theirs, count = ndimage.label(mask, ROUND)
        assert count > 3 and len(np.unique(mine[mask])) == count
        # One number of ours for each of theirs, and the reverse.
        assert len({*zip(mine.ravel(), theirs.ravel(), strict=True)}) == count + 1
        assert not mine[~mask].any()


def test_a_spiral_is_one_piece():
    """The longest way there is: only many rounds, or jumps, come to its end."""
    spiral = np.zeros((1, 21, 21), bool)
    row = column = 0
    for turn, length in enumerate((20, 20, 20, 18, 18, 16, 16, 14, 14, 12, 12, 10, 10, 8, 8)):
        down, across = ((0, 1), (1, 0), (0, -1), (-1, 0))[turn % 4]
        for _ in range(length):
            spiral[0, row, column] = True
            row, column = row + down, column + across
    assert len(np.unique(pieces(tf.constant(spiral)).numpy()[spiral])) == 1


def test_cleaned():
    masks = np.zeros((3, 32, 32), bool)
    masks[:, 4:20, 3:12] = True  # 144 pixels.
    masks[0, 4:20, 18:28] = True  # 160: the largest.
    masks[0, 25:30, 5:10] = True  # 25: a third one, which goes.
    masks[1, 25:29, 20:25] = True  # 20, an eighth of 144 and more: it stays.
    masks[2, 25:29, 20:24] = True  # 16: a crumb.
    kept = cleaned(tf.constant(masks)).numpy()
    expected = masks.copy()
    expected[0, 25:30, 5:10] = False
    expected[2, 25:29, 20:24] = False
    np.testing.assert_array_equal(kept, expected)
    assert not cleaned(tf.zeros((2, 32, 32), tf.bool)).numpy().any()


def test_shape():
    masks = np.zeros((3, 20, 20), bool)
    masks[0, 0:10, 0:5] = True  # Columns 0 to 14: 50 pixels to the left of 7, 25 to the right of it.
    masks[0, 0:5, 10:15] = True
    masks[1, 5:15, 4:9] = True  # An odd number of columns: the middle one counts for both.
    found = {name: values.numpy() for name, values in shape_of(tf.constant(masks)).items()}
    np.testing.assert_allclose(found["area"], [75 / 400, 50 / 400, 0.0])
    np.testing.assert_allclose(found["balance"], [1 / 3, 0.5, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(found["parts"], [2, 1, 0])


def test_limits():
    seen = {"area": np.array([0.2, 0.4]), "balance": np.array([0.3, 0.45]), "parts": np.array([1, 2])}
    limits = Limits.of(seen)
    np.testing.assert_allclose(limits.area, (0.16, 0.48))
    assert limits.balance == pytest.approx(0.24) and limits.parts == 2
    shapes = {
        "area": [0.15, 0.2, 0.49, 0.3, 0.3, 0.0],
        "balance": [0.5, 0.24001, 0.5, 0.2, 0.5, 0.0],
        "parts": [1, 2, 1, 1, 3, 0],
    }
    fit = limits.fit({name: tf.constant(values) for name, values in shapes.items()}).numpy()
    assert fit.tolist() == [False, True, False, False, False, False]
    why = [limits.why_not({name: values[i] for name, values in shapes.items()}) for i in (0, 2, 3, 4, 5)]
    for words, reason in zip(("15%", "49%", "one side is 20%", "in 3 parts", "no lungs found"), why, strict=True):
        assert words in reason


def film(seed=0):
    """A grey film with noise and two dark lungs; and where those are."""
    random = np.random.default_rng(seed)
    region = np.zeros((organ.FILM, organ.FILM), bool)
    region[60:200, 40:110] = region[70:204, 140:216] = True
    grey = np.where(region, 12000, 45000) + random.normal(0, 3000, region.shape)
    return np.clip(grey, 0, 65535).astype(np.uint16), region


class DarkIsLung(tf.Module):
    """In place of a trained U-Net."""

    def __call__(self, films, training=False):
        return -1.0 - 4.0 * films, None


def finder():
    return RegionFinder(2, Limits((0.1, 0.6), 0.2, 2), DarkIsLung())


def test_what_is_found_is_where_the_lungs_are():
    image, region = film()
    found = finder().find(image)
    assert (found & region).sum() / (found | region).sum() > 0.95
    black = np.zeros((organ.FILM, organ.FILM), np.uint16)
    with pytest.raises(organ.OrganNotFound, match="no lungs found"):
        finder().find(black)


@pytest.mark.parametrize("how", ["crop", "cut_out"])
def test_in_the_graph_films_are_cut_to_the_same_bits(how):
    films = [film(seed)[0] for seed in range(3)]
    front = Front(finder(), how)
    expected = np.stack([resize(front.cut(image), (48, 64)) for image in films])
    levels = tf.constant(np.stack(films)[..., None].astype(np.float32))
    in_graph, said = tf.function(lambda levels: front.cut_in_graph(levels, (48, 64)))(levels)
    assert said["region_found"].numpy().all()
    boxes = [front.box(image) for image in films]
    assert boxes == ([tuple(one) for one in said["region_box"].numpy()] if how == "crop" else [None] * 3)
    difference = np.abs(in_graph.numpy()[..., 0] - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3
    if how == "crop":  # 140 rows from 60 on with 6 around them, 176 columns from 40 on with 7; half a cell of the grid is free.
        by_hand = resize(films[0][54:210, 33:223], (48, 64))
        assert np.abs(expected[0].astype(int) - by_hand).mean() < 300
    else:
        assert (expected[:, :8] == 0).all()


def test_a_film_without_lungs_is_told_in_the_graph():
    front = Front(finder(), "crop")
    levels = np.stack([film()[0], np.zeros((organ.FILM, organ.FILM))])[..., None].astype(np.float32)
    images, said = front.cut_in_graph(tf.constant(levels), (16, 16))
    assert said["region_found"].numpy().tolist() == [True, False] and np.isfinite(images.numpy()).all()


def test_saved_and_loaded(tmp_path):
    made = RegionFinder(2, Limits((0.1, 0.6), 0.2, 2))
    random = np.random.default_rng(0)
    for variable in regions.tf_variables(made.network):
        variable.assign(np.abs(random.normal(0.0, 0.3, variable.shape)) + 0.1)
    front = Front(made, "crop")
    front.save(tmp_path / "front")
    loaded = Front.load(tmp_path / "front")
    assert loaded.finder.name == made.name != RegionFinder(2, made.limits).name
    assert loaded.how == "crop" and loaded.finder.limits == made.limits
    some = tf.constant(random.uniform(-1, 1, (2, regions.GRID, regions.GRID, 1)), tf.float32)
    np.testing.assert_array_equal(loaded.finder.network(some)[0], made.network(some)[0])
