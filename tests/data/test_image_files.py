"""Films cut around their organ, where masks or a finder say that it is. What else becomes of files: test_folder, test_chest."""

import numpy as np
import pytest

from fanogan_tf.data import folder
from fanogan_tf.data.organ import FILM, OrganNotFound
from fanogan_tf.data.pixels import resize, resize_mask
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from tests.helpers import lung_films
from tests.helpers.image_folders import save


@pytest.fixture
def root(tmp_path):
    return lung_films.folder(tmp_path / "films", train=6, test=2)


def load(root, tmp_path, finder=None, **settings):
    options = Options(dataset="folder", data_path=str(root), image_size="32", validation_fraction=0.3, **settings)
    return folder.load(options, tmp_path / "cache", finder)


class Stripe:
    """Finds the same upright stripe in every film; none in bright ones."""

    name = "stripe"

    def find(self, image):
        if image.mean() > 50000:
            raise OrganNotFound("no lungs found")
        region = np.zeros((FILM, FILM), bool)
        region[50:150, 100:120] = True
        return region


def test_cropped_by_masks(root, tmp_path):
    whole, cropped = load(root, tmp_path), load(root, tmp_path, region="crop")
    assert cropped.train.images.shape == whole.train.images.shape
    for number, name in enumerate(cropped.test.names):
        image, region = lung_films.film(int(name.split("/")[1][:-4]), bright="anomalous" in name)
        film = resize(image.astype(np.uint16) * 257, (FILM, FILM))
        rows, columns = (np.flatnonzero(resize_mask(region, (FILM, FILM)).any(axis)) for axis in (1, 0))
        tall, wide = (round(0.04 * np.ptp([places[0], places[-1] + 1])) for places in (rows, columns))
        box = np.s_[rows[0] - tall : rows[-1] + 1 + tall, columns[0] - wide : columns[-1] + 1 + wide]
        np.testing.assert_array_equal(cropped.test.images[number, ..., 0], resize(film[box], (32, 32)))
    # Lungs are nearly a quarter of a whole film, and more than half of a cropped one.
    shares = [np.asarray(splits.test.regions).mean() for splits in (whole, cropped)]
    assert 0.2 < shares[0] < 0.3 and 0.5 < shares[1] < 0.9


def test_cut_out_is_black_outside(root, tmp_path):
    black = load(root, tmp_path, region="cut_out").test
    inside = np.asarray(black.regions, bool)
    assert (black.images[:, :2] == 0).all() and (black.images[inside] > 0).mean() > 0.99
    corner = black.images[:, 2:4, 2:4]
    assert (corner == 0).all() and 0.2 < inside.mean() < 0.3


def test_anomaly_masks_are_cropped_with_their_films(root, tmp_path):
    for path in sorted((root / "test_anomalous").iterdir()):
        mask = np.zeros((lung_films.SIDE, lung_films.SIDE), np.uint8)
        mask[26:38, 15:26] = 255
        save(root / "test_masks" / path.name, mask)
    test = load(root, tmp_path, region="crop").test
    marked = np.asarray(test.masks, bool)[test.labels == 1]
    assert marked.any(axis=(1, 2, 3)).all()
    # Bright in the mask, dark or grey beside it: they still lie on each other.
    images = test.images[test.labels == 1]
    assert images[marked].mean() > 50000 > images[~marked].mean()


def test_a_finder_takes_the_place_of_masks(root, tmp_path):
    test = load(root, tmp_path, Stripe(), region="crop").test
    image, _ = lung_films.film(1000)
    film = resize(image.astype(np.uint16) * 257, (FILM, FILM))
    np.testing.assert_array_equal(test.images[0, ..., 0], resize(film[46:154, 99:121], (32, 32)))
    # Films stay whole; only the regions, which a method may be trained on, are the finder's.
    test = load(root, tmp_path, Stripe()).test
    np.testing.assert_array_equal(test.images, load(root, tmp_path).test.images)
    assert np.asarray(test.regions).mean() < 0.05


def test_films_without_their_organ_are_left_out_and_told(root, tmp_path, capsys):
    save(root / "test_normal" / "white.png", np.full((64, 64), 250, np.uint8))
    save(root / "test_regions" / "white.png", np.full((64, 64), 250, np.uint8))
    for _ in range(2):  # Prepared, and opened again.
        splits = load(root, tmp_path, Stripe(), region="cut_out")
        assert len(splits.test) == 4 and not any("white" in name for name in splits.test.names)
        assert "Left out 1 films: test_normal/white.png (no lungs found)" in capsys.readouterr().err


def test_other_cuts_are_prepared_anew(root, tmp_path):
    first = load(root, tmp_path, region="crop").test.images
    assert not np.array_equal(first, load(root, tmp_path, Stripe(), region="crop").test.images)


def test_nothing_tells_where_the_organ_is(root, tmp_path):
    for path in root.glob("*_regions"):
        path.rename(tmp_path / path.name)
    with pytest.raises(UserError, match=r"--region=crop: .* has no mask of its organ; add masks .* --region_from"):
        load(root, tmp_path, region="crop")
    with pytest.raises(UserError, match=r"--region=crop: not of images that are cut into --patches"):
        load(root, tmp_path, Stripe(), region="crop", patches=2)


def test_inverted_films_are_warned_of(root, tmp_path, capsys):
    image, region = lung_films.film(77)
    save(root / "test_normal" / "77.png", 255 - image)
    save(root / "test_regions" / "77.png", region.astype(np.uint8) * np.uint8(255))
    load(root, tmp_path)  # Of images of anything, nothing is said.
    assert "inverted" not in capsys.readouterr().err
    load(root, tmp_path, region="cut_out")
    load(root, tmp_path, Stripe())
    said = capsys.readouterr().err
    assert "warning: 1 films look inverted" in said and "test_normal/77.png" in said
